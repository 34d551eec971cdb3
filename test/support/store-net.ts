/**
 * A namespace for the server of a store, wired to the namespace of the tests: two addresses of one server, one of which can go silent, so
 * that one of two hosts is cut off.
 */
import { must, type Lab, type Namespace } from './lab.ts';

let count = 0;

export class StoreNet {
  readonly namespace: Namespace;
  /** Can be cut. */
  readonly weak: string;
  readonly firm: string;
  readonly #link: string;

  private constructor(namespace: Namespace, link: string, number: number) {
    this.namespace = namespace;
    this.#link = link;
    this.weak = `10.231.${String(number)}.1`;
    this.firm = `10.231.${String(number)}.2`;
  }

  static async open(lab: Lab): Promise<StoreNet> {
    const number = (process.pid + count++) % 250;
    const net = new StoreNet(lab.namespace('store'), `st${String(number)}`, number);
    const ns = net.namespace.name;
    await must('ip', ['link', 'add', net.#link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', ns]);
    await must('ip', ['address', 'add', `10.231.${String(number)}.254/24`, 'dev', net.#link]);
    await must('ip', ['link', 'set', net.#link, 'up']);
    for (const address of [net.weak, net.firm]) {
      await must('ip', ['-n', ns, 'address', 'add', `${address}/24`, 'dev', 'eth0']);
    }
    await must('ip', ['-n', ns, 'link', 'set', 'eth0', 'up']);
    return net;
  }

  /** From now on packets to and from the weak address vanish. */
  async cut(): Promise<void> {
    const rules = `table ip cut {
      chain in { type filter hook input priority 0; ip daddr ${this.weak} drop; }
      chain out { type filter hook output priority 0; ip saddr ${this.weak} drop; }
    }`;
    await this.namespace.must('nft', ['-f', '-'], { input: rules });
  }

  async heal(): Promise<void> {
    await this.namespace.run('nft', ['delete', 'table', 'ip', 'cut']);
  }
}
