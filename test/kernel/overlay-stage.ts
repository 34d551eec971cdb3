/**
 * Hosts of a cluster without its control plane: each a namespace with a kernel layer of its own, joined by an underlay switch. The
 * driver's plans are made true on them, and the hosts told of each other's endpoints, by hand.
 *
 *   underlay (bridge ul0) ── eth0 192.168.77.N, 2001:db8:77::N  host N ── tsn…, tsx… ── containers
 */
import { closeSync, openSync } from 'node:fs';
import overlay from '../../drivers/overlay/driver.ts';
import { soleBackend } from '../../src/kernel/firewall-backends.ts';
import { libc } from '../../src/kernel/libc.ts';
import { openKernel } from '../../src/kernel/linux-kernel.ts';
import { networkOf, withoutLength } from '../../src/model/address.ts';
import { macFromAddress } from '../../src/model/mac.ts';
import type { Endpoint, JsonObject, Netns, Network, Pool, PublishedPort } from '../../src/model/records.ts';
import type { ClusterDraft, Driver, Peer } from '../../src/plan/driver.ts';
import type { Kernel, Observation } from '../../src/plan/kernel.ts';
import type { Plan } from '../../src/plan/resource.ts';
import { sandboxPlan } from '../../src/plan/sandbox-plan.ts';
import { sampleEndpoint, sampleNetwork } from '../../src/public/samples.ts';
import { Lab, type Host, type Namespace } from '../support/lab.ts';
import { firewallOf, party, type Party, type Variant } from './firewall-scene.ts';
import { identify } from './kernel-stage.ts';

export const PORT = 4789;

/** Does `work` with this thread in the host's namespace. One at a time: whatever else this thread does meanwhile is there, too. */
async function inside<T>(host: Namespace, work: () => Promise<T>): Promise<T> {
  const [home, there] = [openSync('/proc/thread-self/ns/net', 'r'), openSync(host.path, 'r')];
  try {
    libc().enterNetns(there);
    return await work();
  } finally {
    libc().enterNetns(home);
    closeSync(home);
    closeSync(there);
  }
}

export interface Container {
  readonly at: Member;
  readonly ns: Namespace;
  /** A program in it. */
  readonly inside: Party;
  readonly endpoint: Endpoint;
  /** "10.77.0.11" */
  readonly address: string;
}

export interface ContainerWish {
  /** With lengths; the first gives the MAC. */
  readonly addresses: readonly string[];
  readonly ports?: readonly PublishedPort[];
}

/** One host of the cluster. */
export class Member {
  readonly host: Host;
  readonly number: number;
  readonly vtep: string;
  readonly vtep6: string;
  readonly #kernel: Kernel;
  readonly #namespaces = new Map<string, Netns>();

  constructor(host: Host, number: number, variant: Variant) {
    this.host = host;
    this.number = number;
    this.vtep = `192.168.77.${number}`;
    this.vtep6 = `2001:db8:77::${number}`;
    this.#kernel = openKernel({
      firewall: soleBackend(variant === 'nftables' ? 'nftables' : 'iptables', firewallOf(host, variant)),
    });
  }

  know(sandbox: string, netns: Netns): void {
    this.#namespaces.set(sandbox, netns);
  }

  ensure(plan: Plan): Promise<void> {
    return inside(this.host, () => this.#kernel.ensure(plan, this.#namespaces));
  }

  remove(plan: Plan): Promise<void> {
    return inside(this.host, () => this.#kernel.remove(plan, this.#namespaces));
  }

  observe(plan: Plan): Promise<Observation[]> {
    return inside(this.host, () => this.#kernel.observe(plan, this.#namespaces));
  }

  /** What of the plan is not as it should be: "fdb missing". */
  async drift(plan: Plan): Promise<string[]> {
    return (await this.observe(plan)).flatMap((seen) => {
      if (seen.state === 'present') return [];
      return [`${seen.resource.kind} ${seen.state}${seen.state === 'wrong' ? `: ${seen.detail}` : ''}`];
    });
  }

  withKernel<T>(work: (kernel: Kernel) => Promise<T>): Promise<T> {
    return inside(this.host, () => work(this.#kernel));
  }

  close(): Promise<void> {
    return this.#kernel.close();
  }
}

/** A network as every member keeps it, and what is on it. */
export class Overlay {
  readonly record: Network;
  readonly containers: Container[] = [];
  readonly #cluster: Cluster;

  constructor(cluster: Cluster, record: Network) {
    this.record = record;
    this.#cluster = cluster;
  }

  /** The record in the ledger of this member. */
  on({ vtep, vtep6 }: Member): Network {
    return { ...this.record, settings: required(overlay.localize)(this.record, { vtep, vtep6 }) };
  }

  setting(name: string): string {
    return JSON.stringify(this.record.settings[name]).replaceAll('"', '');
  }

  vtepOf(member: Member): string {
    return this.setting('outerFamily') === '6' ? member.vtep6 : member.vtep;
  }

  plan(member: Member): Plan {
    return overlay.networkPlan(this.on(member));
  }

  guard(member: Member): Plan {
    const others = this.#cluster.members.filter((one) => one !== member).map((one) => this.vtepOf(one));
    return required(overlay.guardPlan)(this.on(member), others);
  }

  peer(member: Member, peer: Peer): Plan {
    return required(overlay.peerPlan)(this.on(member), peer);
  }

  /** What a member keeps for the containers of the others. */
  peers(member: Member): Plan {
    return this.containers
      .filter(({ at }) => at !== member)
      .flatMap((container) => this.peer(member, this.peerOf(container)));
  }

  peerOf({ at, endpoint }: Container): Peer {
    return {
      kind: 'endpoint',
      addresses: endpoint.addresses.map(({ address }) => withoutLength(address)),
      mac: endpoint.mac,
      vtep: this.vtepOf(at),
    };
  }

  /** A container on a member; in perIp mode the others are told. */
  async container(at: Member, { addresses, ports = [] }: ContainerWish): Promise<Container> {
    const ns = this.#cluster.lab.namespace('c');
    const number = this.containers.length;
    const network = this.on(at);
    const address = withoutLength(addresses[0] ?? '');
    const endpoint = sampleEndpoint(overlay, network, {
      number,
      mac: macFromAddress(address),
      addresses: addresses.map((text) => ({ address: text, ...gatewayOf(network, text) })),
      ports,
    });
    at.know(endpoint.sandboxId, identify(ns.path));
    await at.ensure(this.endpointPlan(at, endpoint));
    const container = { at, ns, inside: party(ns, `c${number}`), endpoint, address };
    this.containers.push(container);
    if (this.setting('mode') === 'perIp') {
      for (const member of this.#cluster.members) {
        if (member !== at) await member.ensure(this.peer(member, this.peerOf(container)));
      }
    }
    return container;
  }

  endpointPlan(at: Member, endpoint: Endpoint): Plan {
    const network = this.on(at);
    return [
      ...overlay.endpointPlan(network, endpoint),
      ...sandboxPlan({ id: endpoint.sandboxId, foreignDefaultRoutes: [] }, [{ endpoint, network }]),
    ];
  }
}

function gatewayOf({ pools, internal }: Network, address: string): { readonly gateway?: string } {
  const gateway = pools.find(({ subnet }) => subnet === networkOf(address))?.gateway;
  return gateway === undefined || internal ? {} : { gateway };
}

function required<T>(method: T | undefined): T {
  if (method === undefined) throw new Error('the driver lacks it');
  return method;
}

export interface NetworkWish {
  readonly name?: string;
  readonly pools?: readonly Pool[];
  readonly options?: JsonObject;
  readonly internal?: boolean;
  readonly cluster?: Partial<ClusterDraft>;
}

const POOLS: readonly Pool[] = [
  { subnet: '10.77.0.0/16', gateway: '10.77.0.1', aux: {} },
  { subnet: 'fd00:77::/64', gateway: 'fd00:77::1', aux: {} },
];

export class Cluster {
  readonly lab = new Lab();
  readonly underlay: Namespace = this.lab.namespace('ul');
  readonly members: Member[] = [];
  readonly #variant: Variant;

  constructor(variant: Variant = 'nftables') {
    this.#variant = variant;
  }

  async start(hosts: number): Promise<this> {
    await this.underlay.must('sh', ['-c', 'ip link add ul0 type bridge mcast_snooping 0 && ip link set ul0 up']);
    await this.underlay.must('ip', ['address', 'add', '192.168.77.250/24', 'dev', 'ul0']);
    await this.underlay.must('ip', ['address', 'add', '2001:db8:77::250/64', 'dev', 'ul0', 'nodad']);
    for (let number = 1; number <= hosts; number++) this.members.push(await this.#member(number));
    return this;
  }

  async #member(number: number): Promise<Member> {
    const host = this.lab.host('h');
    const member = new Member(host, number, this.#variant);
    await this.lab.wire(host, 'eth0', [`${member.vtep}/24`, `${member.vtep6}/64`], this.underlay, `p${number}`, []);
    await this.underlay.must('ip', ['link', 'set', `p${number}`, 'master', 'ul0']);
    for (const [family, via] of [
      ['-4', '192.168.77.250'],
      ['-6', '2001:db8:77::250'],
    ] as const) {
      await host.must('ip', [family, 'route', 'add', 'default', 'via', via]);
    }
    return member;
  }

  /** A network that all members have, with its guard before it. */
  async network({ name = 'ov', pools = POOLS, options = {}, internal = false, cluster = {} }: NetworkWish = {}) {
    const driver: Driver = overlay;
    const record = sampleNetwork(driver, {
      draft: { name, pools, options, internal },
      cluster: { vnis: [4097], underlayMtu: 1500, outerFamily: 4, port: PORT, ...cluster },
    });
    const network = new Overlay(this, record);
    for (const member of this.members) {
      await member.ensure(network.guard(member));
      await member.ensure(network.plan(member));
    }
    return network;
  }

  /** A machine of the underlay that is in no cluster. */
  async stranger(address: string): Promise<Namespace> {
    const ns = this.lab.namespace('x');
    await this.lab.wire(ns, 'eth0', [`${address}/24`], this.underlay, 'px', []);
    await this.underlay.must('ip', ['link', 'set', 'px', 'master', 'ul0']);
    return ns;
  }

  async close(): Promise<void> {
    for (const member of this.members) await member.close();
    this.lab.close();
  }
}

/** Whether a ping is answered within a second. */
export async function ping(from: Namespace, to: string, ...options: readonly string[]): Promise<boolean> {
  const { status } = await from.run('ping', ['-c', '1', '-W', '1', ...options, to]);
  return status === 0;
}
