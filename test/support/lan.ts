/** A LAN for tests: a switch, and hosts plugged into it. */
import type { Host, Lab, Namespace } from './lab.ts';
import { must } from './lab.ts';

export interface Lan {
  /** A namespace whose bridge is the switch; the bridge has 192.168.22.1 and fd22::1, as a router would. */
  readonly router: Namespace;
  /** Host number n has 192.168.22.(11 + n) and fd22::(11 + n) on eth0; its port of the switch is "port<n>". */
  readonly hosts: readonly Host[];
}

export async function makeLan(lab: Lab, count: number): Promise<Lan> {
  const router = lab.namespace('router');
  await must('ip', ['-n', router.name, 'link', 'add', 'switch', 'type', 'bridge']);
  await router.must('sysctl', ['-qw', 'net.ipv6.conf.switch.accept_dad=0']);
  await must('ip', ['-n', router.name, 'address', 'add', '192.168.22.1/24', 'dev', 'switch']);
  await must('ip', ['-n', router.name, 'address', 'add', 'fd22::1/64', 'dev', 'switch', 'nodad']);
  await must('ip', ['-n', router.name, 'link', 'set', 'switch', 'up']);
  const hosts: Host[] = [];
  for (let number = 0; number < count; number += 1) {
    const host = lab.host();
    await plug(lab, host, router, number);
    hosts.push(host);
  }
  return { router, hosts };
}

/** Plugs a host into a port of the switch, as eth0. */
export async function plug(lab: Lab, host: Namespace, router: Namespace, number: number): Promise<void> {
  const port = `port${String(number)}`;
  const last = String(11 + number);
  await lab.wire(host, 'eth0', [`192.168.22.${last}/24`, `fd22::${last}/64`], router, port, []);
  await must('ip', ['-n', router.name, 'link', 'set', port, 'master', 'switch']);
}

/** Whether one ping is answered. */
export async function reaches(from: Namespace, address: string): Promise<boolean> {
  return (await from.run('ping', ['-c', '1', '-W', '1', address])).status === 0;
}
