/**
 * Hosts of a cluster: namespaces on one switch, each with a daemon of its own, and an etcd beside them.
 *
 *     store 192.168.77.100 (.101, .102 …) ── switch ── 192.168.77.1, .2, .3 … hosts
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { EtcdServer } from './etcd-server.ts';
import { must, until, type Host, type Lab, type Namespace } from './lab.ts';

export interface ClusterHost {
  readonly host: Host;
  /** In the underlay. */
  readonly address: string;
  /** Runs tsnet, which must succeed. */
  readonly tsnet: (...args: readonly string[]) => Promise<string>;
  /** Its link to the switch is up or down: nothing is refused, nothing comes through. */
  readonly plug: (state: 'up' | 'down') => Promise<void>;
  readonly startDaemon: () => Promise<number>;
  readonly killDaemon: (signal: NodeJS.Signals) => Promise<void>;
  readonly info: () => Promise<ClusterState>;
  /** Entries of the kernel that lead to other hosts, sorted: "02:42:0a:4d:00:05 dst 192.168.77.2", "10.77.0.5 lladdr 02:42…". */
  readonly entries: () => Promise<string[]>;
}

export interface ClusterState {
  readonly session: string;
  readonly sessionRemainingMs?: number;
  readonly hostId: string;
  readonly held: number;
  readonly store: { readonly reachable: boolean; readonly endpoint?: string };
  readonly hosts: readonly { readonly id: string; readonly address: string; readonly state: string }[];
  readonly networks: readonly { readonly name: string; readonly endpoints: number; readonly entries: number }[];
}

/** An etcd on a machine of its own. */
export interface StoreMember {
  readonly etcd: EtcdServer;
  readonly namespace: Namespace;
  readonly address: string;
  /** Its link to the switch: cuts it off silently. */
  readonly plug: (state: 'up' | 'down') => Promise<void>;
}

export interface ClusterStage {
  /** The first of the members. */
  readonly etcd: EtcdServer;
  readonly members: readonly StoreMember[];
  readonly hosts: readonly ClusterHost[];
  /** One more namespace on the switch. */
  readonly plugIn: (namespace: Namespace, port: string, address: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface ClusterStageOptions {
  readonly hosts: number;
  /** Servers of the store. */
  readonly members?: number;
  /** Time to live of a host's session, seconds; its grace is two thirds of it. */
  readonly ttl?: number;
  /** Further keys of every daemon.json. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Gets a host ready before its daemon starts. */
  readonly prepare?: (host: Host, number: number) => Promise<HostSpecials>;
}

export interface HostSpecials {
  /** Further keys of its daemon.json. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of its daemon. */
  readonly env?: Readonly<Record<string, string>>;
}

async function openClusterStage(lab: Lab, options: ClusterStageOptions): Promise<ClusterStage> {
  const { hosts: count, members: servers = 1, ttl = 15, config = {}, prepare } = options;
  const underlay = lab.namespace('ul');
  await must('ip', ['-n', underlay.name, 'link', 'add', 'sw', 'type', 'bridge']);
  await must('ip', ['-n', underlay.name, 'link', 'set', 'sw', 'up']);
  const plugIn = async (namespace: Namespace, port: string, address: string): Promise<void> => {
    await lab.wire(namespace, 'up0', [`${address}/24`], underlay, port, []);
    await must('ip', ['-n', underlay.name, 'link', 'set', port, 'master', 'sw']);
  };
  const plug = (port: string) => async (state: 'up' | 'down') => {
    await must('ip', ['-n', underlay.name, 'link', 'set', port, state]);
  };
  const addresses = Array.from({ length: servers }, (_, index) => `192.168.77.${String(100 + index)}`);
  const members: StoreMember[] = [];
  for (const [index, address] of addresses.entries()) {
    const namespace = lab.namespace('store');
    await plugIn(namespace, `store${String(index)}`, address);
    const etcd = new EtcdServer({ namespace, addresses: [address], ...(servers === 1 ? {} : { members: addresses }) });
    members.push({ etcd, namespace, address, plug: plug(`store${String(index)}`) });
  }
  await Promise.all(members.map(({ etcd }) => etcd.start()));
  const [first] = members;
  if (first === undefined) throw new Error('a store has a server');
  const hosts: ClusterHost[] = [];
  for (let number = 1; number <= count; number++) {
    const address = `192.168.77.${String(number)}`;
    const host = lab.host(`c${String(number)}`);
    await plugIn(host, `h${String(number)}`, address);
    const specials = (await prepare?.(host, number)) ?? {};
    writeFileSync(
      path.join(host.dir, 'daemon.json'),
      JSON.stringify({
        'cluster-store': `etcd://${addresses.map((one) => `${one}:2379`).join()}`,
        'cluster-store-opts': { ttl: String(ttl) },
        'cluster-advertise': 'up0',
        'firewall-backend': 'nftables',
        ...config,
        ...specials.config,
      }),
    );
    hosts.push(clusterHost(host, { address, plug: plug(`h${String(number)}`), env: specials.env ?? {} }));
  }
  await Promise.all(hosts.map((one) => one.startDaemon()));
  // With so short a life a session may be over before a daemon that starts has come to itself.
  for (const one of hosts) await until(async () => (await one.info()).session === 'held', 20_000);
  return {
    etcd: first.etcd,
    members,
    plugIn,
    hosts,
    close: async () => {
      for (const one of hosts) await one.killDaemon('SIGKILL');
      for (const { etcd } of members) await etcd.stop();
    },
  };
}

/**
 * A stage for the tests of one file: opened and prepared before them, closed with the lab after them. What the daemons said is shown where
 * a test fails, or the preparing.
 */
export function stageForFile(
  lab: Lab,
  options: ClusterStageOptions,
  prepare: (stage: ClusterStage) => Promise<void> | void,
): void {
  let stage: ClusterStage | undefined;
  const tellLogs = (): void => {
    for (const { host, address } of stage?.hosts ?? []) process.stderr.write(`${address}\n${host.daemonLog()}\n`);
  };
  beforeAll(async () => {
    stage = await openClusterStage(lab, options);
    try {
      await prepare(stage);
    } catch (error) {
      tellLogs();
      throw error;
    }
  });
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') tellLogs();
  });
  afterAll(async () => {
    await stage?.close();
    lab.close();
  });
}

function clusterHost(
  host: Host,
  { address, plug, env }: Pick<ClusterHost, 'address' | 'plug'> & Required<Pick<HostSpecials, 'env'>>,
): ClusterHost {
  let daemon: Awaited<ReturnType<Host['startDaemon']>> | undefined;
  return {
    host,
    address,
    plug,
    tsnet: (...args) => host.mustTsnet(args),
    startDaemon: async () => {
      daemon = await host.startDaemon([], env);
      return daemon.pid ?? 0;
    },
    killDaemon: async (signal) => {
      if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
      const ended = new Promise((resolve) => daemon?.once('exit', resolve));
      daemon.kill(signal);
      await ended;
    },
    info: async () => {
      const info = JSON.parse(await host.mustTsnet(['info', '--format', 'json'])) as {
        readonly daemon: { readonly cluster: ClusterState };
      };
      return info.daemon.cluster;
    },
    entries: () => entriesOf(host),
  };
}

async function entriesOf(host: Host): Promise<string[]> {
  const links = JSON.parse(await host.must('ip', ['-j', '-d', 'link', 'show', 'type', 'vxlan'])) as readonly {
    readonly ifname?: string;
  }[];
  const found: string[] = [];
  for (const { ifname } of links) {
    if (ifname === undefined) continue;
    const fdb = JSON.parse(await host.must('bridge', ['-j', 'fdb', 'show', 'dev', ifname])) as readonly {
      readonly mac: string;
      readonly dst?: string;
    }[];
    for (const { mac, dst } of fdb) if (dst !== undefined) found.push(`${mac} dst ${dst}`);
    for (const family of ['-4', '-6']) {
      const neighbours = JSON.parse(
        (await host.must('ip', [family, '-j', 'neigh', 'show', 'dev', ifname, 'nud', 'permanent'])) || '[]',
      ) as readonly { readonly dst: string; readonly lladdr?: string }[];
      for (const { dst, lladdr } of neighbours) found.push(`${dst} lladdr ${lladdr ?? '?'}`);
    }
  }
  return found.sort();
}

/** Waits until a host's kernel has just these entries. */
export async function untilEntries(host: ClusterHost, wanted: readonly string[], timeoutMs = 5000): Promise<void> {
  const text = JSON.stringify([...wanted].sort());
  let last = '';
  try {
    await until(async () => (last = JSON.stringify(await host.entries())) === text, timeoutMs);
  } catch {
    throw new Error(`entries of ${host.address}: ${last}, expected ${text}`);
  }
}

/** What another host's kernel has of a container with this address. */
export function entriesFor(address: string, vtep: string): string[] {
  const mac = `02:42:${address
    .split('.')
    .map((byte) => Number(byte).toString(16).padStart(2, '0'))
    .join(':')}`;
  return [`${mac} dst ${vtep}`, `${address} lladdr ${mac}`];
}

let counter = 0;

export interface TestContainer {
  readonly on: ClusterHost;
  readonly namespace: Namespace;
  readonly address: string;
  readonly ping: (to: string) => Promise<boolean>;
  readonly leave: () => Promise<string>;
}

/** A container on a host: a namespace of its own, connected to a network. */
export async function container(
  lab: Lab,
  on: ClusterHost,
  network: string,
  args: readonly string[] = [],
): Promise<TestContainer> {
  const namespace = lab.namespace(`k${String(counter++)}`);
  const reference = `netns:${namespace.name}`;
  await on.tsnet('connect', ...args, network, reference);
  const links = JSON.parse(await namespace.must('ip', ['-j', '-4', 'address', 'show', 'dev', 'eth0'])) as readonly {
    readonly addr_info: readonly { readonly local: string }[];
  }[];
  return {
    on,
    namespace,
    address: links[0]?.addr_info[0]?.local ?? '',
    ping: async (to) => (await namespace.run('ping', ['-c', '1', '-W', '2', to])).status === 0,
    leave: () => on.tsnet('disconnect', network, reference),
  };
}

/** Makes a network on one host and waits until all have heard of it. */
export async function createOverlay(
  { hosts }: ClusterStage,
  { name, subnet, args = [] }: { readonly name: string; readonly subnet: string; readonly args?: readonly string[] },
): Promise<void> {
  const [first, ...others] = hosts;
  await first?.tsnet('create', '-d', 'overlay', '--subnet', subnet, ...args, name);
  for (const other of others) {
    await until(async () => (await other.tsnet('ls', '--format', '{{.Name}}')).split('\n').includes(name));
  }
}
