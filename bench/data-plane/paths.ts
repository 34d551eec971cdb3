/**
 * Throughput and round trips of established connections: container ↔ container, container ↔ host, and through a published port,
 * each beside a bare veth and bridge without a firewall. How it is measured: held-connection.ts.
 *
 * Whether frames between two containers of one network meet the firewall at all is a switch of the module br_netfilter. Off,
 * or without the module, no rule sees them. On, each is looked up in connection tracking before the first rule; what that
 * alone costs is the third host here, and more than its speed no firewall has that knows connections.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import type { Group, Promised, Row, SkippedRow, Unit } from '../group.ts';
import type { Backend } from '../tsnet-host.ts';
import type { Sample, Scenario } from '../twin.ts';
import { compareTwins, type Hosts, type Taken } from './compare-twins.ts';
import { holdConnection, type Ends } from './held-connection.ts';
import { goFirst } from './real-time.ts';
import { bareSite, HOST, OUTSIDE, PEER, tsnetSite, WEB } from './site.ts';

const RUNS = 60;
/** A sample is the best of so many tries: what disturbs one only ever makes it slower. */
const TRIES = 4;
const STREAM_BYTES = 8 << 20;
const ROUND_TRIPS = 75;
const PORT = 5000;
const HOST_PORT = 8080;
const BRIDGED_FRAMES = '/proc/sys/net/bridge/bridge-nf-call-iptables';

type Path = 'containers' | 'host' | 'published';
type Frames = 'past the firewall' | 'through the firewall';

function ends(published: Pick<Ends, 'address' | 'port'>): Readonly<Record<Path, Ends>> {
  return {
    containers: {
      client: PEER.netns,
      server: WEB.netns,
      address: WEB.address,
      port: PORT,
      serverPort: PORT,
    },
    host: { client: PEER.netns, server: HOST.netns, address: HOST.inside, port: PORT, serverPort: PORT },
    published: { client: OUTSIDE.netns, server: WEB.netns, ...published, serverPort: PORT },
  };
}

const tries = (measure: () => number): number[] => Array.from({ length: TRIES }, measure);

function sampler(published: Pick<Ends, 'address' | 'port'>): () => Promise<Sample> {
  const held = Object.entries(ends(published)).map(([path, way]) => ({ path, connection: holdConnection(way) }));
  goFirst();
  return () => {
    const sample = held.flatMap(({ path, connection }) => [
      [`${path} throughput`, Math.max(...tries(() => connection.stream(STREAM_BYTES)))] as const,
      [`${path} round trip`, Math.min(...tries(() => connection.roundTrip(ROUND_TRIPS)))] as const,
    ]);
    return Promise.resolve(Object.fromEntries(sample));
  };
}

function setBridgedFrames(frames: Frames): void {
  if (existsSync(BRIDGED_FRAMES)) writeFileSync(BRIDGED_FRAMES, frames === 'through the firewall' ? '1' : '0');
}

const ours =
  (frames: Frames): Scenario =>
  async ({ dir, backend }) => {
    setBridgedFrames(frames);
    await tsnetSite(dir, backend, [`${HOST_PORT}:${PORT}`]);
    return sampler({ address: HOST.outside, port: HOST_PORT });
  };

/** What is published is routed here: outside has a route to the containers. */
const bare =
  (frames: Frames): Scenario =>
  async () => {
    setBridgedFrames(frames);
    await bareSite();
    return sampler({ address: WEB.address, port: PORT });
  };

/** A bare host with one rule that asks for a connection's state. */
const tracked: Scenario = async (request) => {
  execFileSync('nft', ['-f', '-'], {
    input: `table inet tracked {
      chain forward { type filter hook forward priority filter; ct state established accept;
      }
    }\n`,
  });
  return bare('through the firewall')(request);
};

export const PATH_SCENARIOS = {
  'paths past the firewall': ours('past the firewall'),
  'bare paths past the firewall': bare('past the firewall'),
  'paths through the firewall': ours('through the firewall'),
  'bare paths through the firewall': bare('through the firewall'),
  'tracked paths': tracked,
} as const satisfies Readonly<Record<string, Scenario>>;

type Host = keyof typeof PATH_SCENARIOS;

const PAST: readonly Host[] = ['paths past the firewall', 'bare paths past the firewall'];
const THROUGH: readonly Host[] = ['paths through the firewall', 'bare paths through the firewall', 'tracked paths'];
const BARE = 'bare veth + bridge';

/** Both measures of one path. */
function rowsOf(
  taken: Taken,
  name: string,
  path: Path,
  hosts: { readonly ours: Host; readonly peer: Host; readonly peerName: string; readonly promise?: Promised },
): Row[] {
  const row = (measure: string, unit: Unit, promise?: Promised): Row => ({
    name: `${name}, ${measure}`,
    ours: taken(hosts.ours, `${path} ${measure}`),
    peer: taken(hosts.peer, `${path} ${measure}`),
    peerName: hosts.peerName,
    unit,
    ...(promise === undefined ? {} : { promise }),
  });
  return [row('throughput', 'Gbit/s', hosts.promise), row('round trip', 'µs')];
}

async function measure(dir: string, backend: Backend): Promise<(Row | SkippedRow)[]> {
  const crosses = existsSync(BRIDGED_FRAMES);
  const hosts: Hosts = Object.fromEntries(
    [...PAST, ...(crosses ? THROUGH : [])].map((scenario) => [scenario, { scenario, backend, size: 1 }]),
  );
  const taken = await compareTwins(dir, hosts, RUNS);
  const past = { ours: 'paths past the firewall', peer: 'bare paths past the firewall', peerName: BARE } as const;
  const through = { ...past, ours: 'paths through the firewall', peer: 'bare paths through the firewall' } as const;
  const alone = { ...through, peer: 'tracked paths', peerName: 'connection tracking alone' } as const;
  const crossing = 'container ↔ container, frames through the firewall';
  return [
    ...rowsOf(taken, 'container ↔ container', 'containers', { ...past, promise: { atLeast: 0.98 } }),
    ...rowsOf(taken, 'container ↔ host', 'host', past),
    ...rowsOf(taken, 'through a published port', 'published', { ...past, peerName: `${BARE}, routed` }),
    ...(crosses
      ? [...rowsOf(taken, crossing, 'containers', through), ...rowsOf(taken, crossing, 'containers', alone)]
      : [{ name: crossing, skipped: 'br_netfilter is not loaded' }]),
  ];
}

export const paths = (backend: Backend): Group => ({
  name: `paths/${backend}`,
  measure: (dir) => measure(dir, backend),
});
