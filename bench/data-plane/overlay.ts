/**
 * Throughput and round trips between containers on two hosts of an overlay: beside the same VXLAN without any firewall, and beside the
 * bare underlay. How it is measured: held-connection.ts. In the underlay a packet of 1,500 bytes carries what an inner one of 1,450
 * does, so some 4 % are gone before anybody has worked.
 *
 * Frames cross the firewall on both hosts, where br_netfilter is loaded. Leaving them untracked was tried and is slower: the rule that
 * says so costs more than finding a known connection, by 6 to 15 % of a round trip.
 */
import type { Group, Row } from '../group.ts';
import type { Backend } from '../tsnet-host.ts';
import type { Sample, Scenario } from '../twin.ts';
import { compareTwins } from './compare-twins.ts';
import { holdConnection } from './held-connection.ts';
import { HERE, OTHER, overlaySite, PEER, WEB, type Mode } from './overlay-site.ts';
import { goFirst } from './real-time.ts';

const RUNS = 40;
/** A sample is the best of so many tries: what disturbs one only ever makes it slower. */
const TRIES = 4;
const STREAM_BYTES = 8 << 20;
const ROUND_TRIPS = 75;
const PORT = 5000;

const tries = (measure: () => number): number[] => Array.from({ length: TRIES }, measure);

/** Both ways in one site, in turn: the hosts by their own addresses, the containers by theirs. */
function sampler(): () => Promise<Sample> {
  const ports = { port: PORT, serverPort: PORT };
  const ways = {
    underlay: holdConnection({ client: HERE.netns, server: OTHER.netns, address: OTHER.vtep, ...ports }),
    overlay: holdConnection({ client: WEB.netns, server: PEER.netns, address: PEER.address, ...ports }),
  };
  goFirst();
  return () =>
    Promise.resolve(
      Object.fromEntries(
        Object.entries(ways).flatMap(([way, connection]) => [
          [`${way} throughput`, Math.max(...tries(() => connection.stream(STREAM_BYTES)))],
          [`${way} round trip`, Math.min(...tries(() => connection.roundTrip(ROUND_TRIPS)))],
        ]),
      ),
    );
}

const site =
  (mode: Mode, rules: 'with rules' | 'without rules'): Scenario =>
  async ({ backend }) => {
    await overlaySite(rules === 'with rules' ? backend : undefined, mode);
    return sampler();
  };

export const OVERLAY_SCENARIOS = {
  overlay: site('perIp', 'with rules'),
  'overlay in blocks': site('block', 'with rules'),
  'overlay without rules': site('perIp', 'without rules'),
} as const satisfies Readonly<Record<string, Scenario>>;

async function measure(dir: string, backend: Backend): Promise<Row[]> {
  const hosts = Object.fromEntries(
    Object.keys(OVERLAY_SCENARIOS).map((scenario) => [scenario, { scenario, backend, size: 1 }]),
  );
  const taken = await compareTwins(dir, hosts, RUNS);
  const both = (name: string, ours: string, peer: readonly [string, string], peerName: string): Row[] =>
    (['throughput', 'round trip'] as const).map((what) => ({
      name: `${name}, ${what}`,
      ours: taken(ours, `overlay ${what}`),
      peer: taken(peer[0], `${peer[1]} ${what}`),
      peerName,
      unit: what === 'throughput' ? 'Gbit/s' : 'µs',
    }));
  const bare = 'the same VXLAN without rules';
  const [throughput, ...others] = both(
    'container ↔ container, two hosts',
    'overlay',
    ['overlay without rules', 'overlay'],
    bare,
  );
  return [
    ...(throughput === undefined ? [] : [{ ...throughput, promise: { atLeast: 0.75 } }]),
    ...others,
    ...both('container ↔ container, two hosts', 'overlay', ['overlay', 'underlay'], 'host ↔ host'),
    ...both('container ↔ container, mode=block', 'overlay in blocks', ['overlay in blocks', 'underlay'], 'host ↔ host'),
  ];
}

export const overlay = (backend: Backend): Group => ({
  name: `overlay/${backend}`,
  measure: (dir) => measure(dir, backend),
});
