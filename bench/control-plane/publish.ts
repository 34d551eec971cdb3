/**
 * One more published port on hosts that have none, 10, 1,000 and 10,000 already: a hundred ports a container, every other
 * port, so that none of them are a range.
 */
import { compareTwins } from '../data-plane/compare-twins.ts';
import { FIREWALL_FLOOR_NAMES, firewallFloor } from '../firewall-floor.ts';
import type { Group, Promised, Row } from '../group.ts';
import { timed } from '../in-turn.ts';
import { openHost, type Backend } from '../tsnet-host.ts';
import type { Sample, TwinRequest } from '../twin.ts';

const SIZES = [0, 10, 1000, 10_000] as const;
const PER_CONTAINER = 100;
/** With iptables, a run on the fullest host takes a second or two. */
const RUNS: Readonly<Record<Backend, number>> = { iptables: 12, nftables: 40 };
/** On each host, so that all run warm code, however much they were filled. */
const WARM_UP: Readonly<Record<Backend, number>> = { iptables: 3, nftables: 20 };
const FIRST_PORT = 10_000;
/** The one more, and the one of the floor. */
const [PORT, FLOOR_PORT] = ['9000:80', '9002:80'] as const;

/** A twin's host with `size` ports published; a sample is one more port, beside its firewall transaction alone. */
export async function publishedHost({ dir, backend, size }: TwinRequest): Promise<() => Promise<Sample>> {
  const { engine, container } = await openHost(dir, backend);
  await engine.createNetwork({ name: 'web', ipam: [{ subnet: '10.10.0.0/16' }] });
  for (let first = 0; first < size; first += PER_CONTAINER) {
    const count = Math.min(PER_CONTAINER, size - first);
    const ports = Array.from(
      { length: count },
      (_, index) => `${FIRST_PORT + 2 * (first + index)}:${8000 + 2 * index}`,
    );
    await engine.connect({ network: 'web', container: container(`full${first}`).path, ports });
  }
  const { path } = container('one-more');
  const target = { network: 'web', container: path };
  await engine.connect(target);
  const { plan } = await engine.publish({ ...target, ports: [FLOOR_PORT], dryRun: true });
  const bare = firewallFloor(backend).change(plan);
  const sample = async (): Promise<Sample> => {
    const publish = await timed(() => engine.publish({ ...target, ports: [PORT] }));
    const unpublish = await timed(() => engine.unpublish({ ...target, ports: [PORT] }));
    const floor = await timed(bare.add);
    await bare.remove();
    return { publish, unpublish, floor };
  };
  for (let run = 0; run < WARM_UP[backend]; run += 1) await sample();
  return sample;
}

const after = (size: number): string => `after ${size.toLocaleString('en')}`;

async function measure(dir: string, backend: Backend): Promise<Row[]> {
  const hosts = SIZES.toReversed().map((size) => [after(size), { scenario: 'publish', backend, size }] as const);
  const taken = await compareTwins(dir, Object.fromEntries(hosts), RUNS[backend]);
  const of = (size: number, what: string): readonly number[] => taken(after(size), what);
  const flat: Promised = { atMost: backend === 'nftables' ? 1.2 : 2 };
  const [first, , , most] = SIZES;
  const beside = (name: string, size: number): Row => ({
    name,
    ours: of(size, 'publish'),
    peer: of(size, 'floor'),
    peerName: `${FIREWALL_FLOOR_NAMES[backend]} there`,
    unit: 'ms',
  });
  return [
    beside('publish the first port', first),
    beside(`publish one more ${after(most)}`, most),
    ...SIZES.filter((size) => size > 0).flatMap((size): Row[] => {
      return [
        {
          name: `publish one more ${after(size)}`,
          ours: of(size, 'publish'),
          peer: of(first, 'publish'),
          peerName: 'the first',
          unit: 'ms',
          ...(size === most ? { promise: flat } : {}),
        },
        {
          name: `unpublish ${after(size)}`,
          ours: of(size, 'unpublish'),
          peer: of(first, 'unpublish'),
          peerName: 'the only one',
          unit: 'ms',
        },
      ];
    }),
    {
      name: `${FIREWALL_FLOOR_NAMES[backend]} ${after(most)}`,
      ours: of(most, 'floor'),
      peer: of(first, 'floor'),
      peerName: 'the first',
      unit: 'ms',
    },
  ];
}

export const publish = (backend: Backend): Group => ({
  name: `publish/${backend}`,
  measure: (dir) => measure(dir, backend),
});
