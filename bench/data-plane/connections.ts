/**
 * New connections per second through a published port, with 1 to 50,000 ports published: tsnet with both backends beside
 * the chain that dockerd writes. What is sent and why: first-packets.ts.
 */
import type { Group, Promised, Row, SkippedRow } from '../group.ts';
import type { Backend } from '../tsnet-host.ts';
import type { Sample, Scenario } from '../twin.ts';
import { compareTwins, type Hosts, type Taken } from './compare-twins.ts';
import { firstPackets, forgetConnections } from './first-packets.ts';
import { connections as realConnections } from './held-connection.ts';
import { dockerContainer, missingDocker } from './docker-container.ts';
import { writeLinearChain } from './linear-chain.ts';
import { goFirst } from './real-time.ts';
import { BARE_BRIDGE, bareSite, HOST, makeOutside, OUTSIDE, tsnetSite, WEB } from './site.ts';

/** With iptables we are a linear chain as well, of a third of the length: as far as it loads in some seconds. */
const SIZES: Readonly<Record<Backend, readonly number[]>> = {
  nftables: [1, 1000, 10_000, 50_000],
  iptables: [1, 1000, 10_000],
};
const DOCKER_SIZE = 200;
const RUNS = 40;
/** A burst takes about so long, whatever the host: from two connections to two thousand. */
const BURST_MS = 5;
/** A sample is the best of so many: what disturbs a burst only ever makes it slower. */
const BURSTS = 3;
const MOST_PACKETS = 2000;
const MOST_CONNECTIONS = 300;
const FIRST_PORT = 1000;
/** Container ports go down while host ports go up, so that no two published ports make a range. */
const LAST_CONTAINER_PORT = 61_000;
/** Relatively prime to all sizes: goes over all ports, in no order. */
const STRIDE = 7919;

const hostPort = (index: number): number => FIRST_PORT + index;
const containerPort = (index: number): number => LAST_CONTAINER_PORT - index;

interface Target {
  readonly address: string;
  /** Ports that packets go to, by index; the last one is the last in a chain. */
  readonly portOf: (index: number) => number;
  readonly size: number;
  /** Namespace of the container; absent: `web`'s. */
  readonly container?: string;
}

/** How many fit into a burst, found by trying ever more. The quickest of some tries counts: the first of all meets cold caches. */
function fitting(most: number, milliseconds: (count: number) => number): number {
  for (let count = 2; ; count = Math.min(most, count * 4)) {
    const took = Math.min(milliseconds(count), milliseconds(count), milliseconds(count));
    if (took < BURST_MS / 4 && count < most) continue;
    return Math.max(2, Math.min(most, Math.round((count * BURST_MS) / took)));
  }
}

/** Connections per second to a port anywhere among the published ones, to the last one, and of real sockets to the last one. */
function sampler({ address, portOf, size, container = WEB.netns }: Target): () => Promise<Sample> {
  const packets = firstPackets({ from: OUTSIDE.netns, sources: OUTSIDE.sources, to: address, into: container });
  const sockets = realConnections({
    client: OUTSIDE.netns,
    server: container,
    address,
    port: portOf(size - 1),
    serverPort: containerPort(size - 1),
  });
  const last = (): number => portOf(size - 1);
  let stride = 0;
  const any = (): number => portOf((stride += STRIDE) % size);
  const measures: Readonly<Record<string, readonly [number, (count: number) => number]>> = {
    any: [MOST_PACKETS, (count) => packets.send(count, any)],
    last: [MOST_PACKETS, (count) => packets.send(count, last)],
    sockets: [MOST_CONNECTIONS, sockets],
  };
  goFirst();
  const counted = Object.entries(measures).map(([name, [most, milliseconds]]) => {
    const count = fitting(most, milliseconds);
    const bursts = Array.from({ length: BURSTS }, () => count);
    return { name, rate: () => (count * 1000) / Math.min(...bursts.map(milliseconds)) };
  });
  forgetConnections();
  return () => {
    const sample = Object.fromEntries(counted.map(({ name, rate }) => [name, rate()]));
    forgetConnections();
    return Promise.resolve(sample);
  };
}

const ports = (size: number): { host: number; container: number }[] =>
  Array.from({ length: size }, (_, index) => ({ host: hostPort(index), container: containerPort(index) }));
const asTyped = (size: number): string[] => ports(size).map(({ host, container }) => `${host}:${container}`);

/** tsnet's host with `size` ports published. */
const published: Scenario = async ({ dir, backend, size }) => {
  await tsnetSite(dir, backend, asTyped(size));
  return sampler({ address: HOST.outside, portOf: hostPort, size });
};

/** A host with dockerd's rules for `size` ports. */
const linear: Scenario = async ({ size }) => {
  await bareSite();
  await writeLinearChain({ bridge: BARE_BRIDGE, subnet: '10.10.0.0/16', to: WEB.address, ports: ports(size) });
  return sampler({ address: HOST.outside, portOf: hostPort, size });
};

/** No firewall at all: the packets are routed to the container. */
const routed: Scenario = async ({ size }) => {
  await bareSite();
  return sampler({ address: WEB.address, portOf: containerPort, size });
};

/** dockerd with a container that publishes `size` ports. */
const docker: Scenario = async ({ dir, size }) => {
  await makeOutside();
  const container = await dockerContainer(dir, asTyped(size));
  return sampler({ address: HOST.outside, portOf: hostPort, size, container });
};

export const CONNECTION_SCENARIOS: Readonly<Record<string, Scenario>> = {
  published,
  linear,
  routed,
  docker,
};

const PROMISES: Readonly<Record<number, Promised>> = { 10_000: { atLeast: 2 }, 50_000: { atLeast: 5 } };

const spelled = (count: number): string => count.toLocaleString('en');
const hostName = (what: string, size: number): string => `${what} ${size}`;

function rows(backend: Backend, sizes: readonly number[], taken: Taken): Row[] {
  const row = (name: string, what: string, hosts: { ours: string; peer: string; peerName: string }): Row => ({
    name,
    ours: taken(hosts.ours, what),
    peer: taken(hosts.peer, what),
    peerName: hosts.peerName,
    unit: 'connections/s',
  });
  const ours = (size: number): string => hostName(backend, size);
  const many = sizes.filter((size) => size > 1);
  const besideChain = (name: string, what: string, size: number): Row =>
    row(name, what, { ours: ours(size), peer: hostName('linear', size), peerName: "dockerd's chain" });
  const promised = (promise: Promised | undefined): { readonly promise?: Promised } =>
    backend === 'iptables' || promise === undefined ? {} : { promise };
  return [
    row('1 published', 'any', { ours: ours(1), peer: hostName('routed', 1), peerName: 'routed, no firewall' }),
    ...many.map((size) => ({
      ...row(`any of ${spelled(size)} published`, 'any', { ours: ours(size), peer: ours(1), peerName: '1 published' }),
      ...promised(size === 10_000 ? { atLeast: 0.95 } : undefined),
    })),
    besideChain('1 published', 'any', 1),
    ...many.map((size) => ({
      ...besideChain(`any of ${spelled(size)} published`, 'any', size),
      ...promised(PROMISES[size]),
    })),
    ...many.map((size) => besideChain(`the last of ${spelled(size)} published`, 'last', size)),
    ...many.map((size) => besideChain(`real sockets, the last of ${spelled(size)} published`, 'sockets', size)),
  ];
}

/** dockerd itself, as far as it can be filled, and the chain that stands for it above. */
function dockerRows(backend: Backend, taken: Taken): Row[] {
  const beside = (name: string, host: string): Row => ({
    name,
    ours: taken(host, 'any'),
    peer: taken(hostName('docker', DOCKER_SIZE), 'any'),
    peerName: 'dockerd itself',
    unit: 'connections/s',
  });
  return [
    beside(`any of ${DOCKER_SIZE} published`, hostName(backend, DOCKER_SIZE)),
    beside(`dockerd's chain, ${DOCKER_SIZE} published`, hostName('linear', DOCKER_SIZE)),
  ];
}

async function measure(dir: string, backend: Backend): Promise<(Row | SkippedRow)[]> {
  const sizes = SIZES[backend];
  const absent = missingDocker();
  const host = (scenario: string, name: string, size: number) =>
    [hostName(name, size), { scenario, backend, size }] as const;
  const hosts: Hosts = Object.fromEntries([
    // The longest chain first: it takes longest to write.
    ...sizes.toReversed().map((size) => host('linear', 'linear', size)),
    ...sizes.toReversed().map((size) => host('published', backend, size)),
    host('routed', 'routed', 1),
    ...(absent === undefined
      ? [
          host('docker', 'docker', DOCKER_SIZE),
          host('linear', 'linear', DOCKER_SIZE),
          host('published', backend, DOCKER_SIZE),
        ]
      : []),
  ]);
  const taken = await compareTwins(dir, hosts, RUNS);
  return [
    ...rows(backend, sizes, taken),
    ...(absent === undefined
      ? dockerRows(backend, taken)
      : [{ name: `any of ${DOCKER_SIZE} published`, skipped: absent }]),
  ];
}

export const connections = (backend: Backend): Group => ({
  name: `connections/${backend}`,
  measure: (dir) => measure(dir, backend),
});
