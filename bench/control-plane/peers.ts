/** A host is told where 1,000 containers of others are, and that they are gone: beside the bare messages, pipelined. */
import overlay from '../../drivers/overlay/driver.ts';
import { soleBackend } from '../../src/kernel/firewall-backends.ts';
import { noFirewall } from '../../src/kernel/firewall-executor.ts';
import { deleteFdb, setFdb } from '../../src/kernel/fdb-message.ts';
import { getLink } from '../../src/kernel/link-message.ts';
import { openKernel } from '../../src/kernel/linux-kernel.ts';
import { deleteNeighbour, setNeighbour } from '../../src/kernel/neighbour-message.ts';
import { NetlinkSocket } from '../../src/kernel/netlink-socket.ts';
import { macFromAddress } from '../../src/model/mac.ts';
import { sampleNetwork } from '../../src/public/samples.ts';
import type { Group, Row } from '../group.ts';
import { thereAndBack } from '../in-turn.ts';
import { check, linkOf } from '../kernel-floor.ts';

const RUNS = 15;
const PEERS = 1000;
/** What is there all the time. */
const CROWD = 20_000;

interface Peer {
  readonly address: string;
  readonly mac: string;
  readonly vtep: string;
}

function peers(second: number, count: number): Peer[] {
  return Array.from({ length: count }, (_, index) => {
    const address = `10.${second}.${index >> 8}.${index & 255}`;
    return { address, mac: macFromAddress(address), vtep: `192.168.78.${1 + (index % 250)}` };
  });
}

async function measure(): Promise<Row[]> {
  const kernel = openKernel({ firewall: soleBackend('none', noFirewall) });
  const network = sampleNetwork(overlay, {
    cluster: { vnis: [4097], underlayMtu: 1500, outerFamily: 4, port: 4789 },
    underlay: { vtep: '127.0.0.1' },
  });
  const none = new Map();
  await kernel.ensure(overlay.networkPlan(network), none);
  const planOf = (some: readonly Peer[]) =>
    some.flatMap(
      ({ address, ...peer }) => overlay.peerPlan?.(network, { kind: 'endpoint', addresses: [address], ...peer }) ?? [],
    );
  const socket = new NetlinkSocket('route');
  const device = overlay.networkPlan(network).find((resource) => resource.kind === 'vxlan');
  const [looked] = await socket.batch([getLink(device?.name ?? '')]);
  const link = linkOf(looked).index;
  const bare = peers(99, PEERS);
  const compared = () =>
    thereAndBack(
      { runs: RUNS },
      {
        there: () => kernel.ensure(planOf(peers(98, PEERS)), none),
        back: () => kernel.remove(planOf(peers(98, PEERS)), none),
      },
      {
        there: async () => {
          check(await socket.batch(bare.map(({ mac, vtep }) => setFdb(link, mac, vtep))));
          check(await socket.batch(bare.map(({ address, mac }) => setNeighbour(link, address, mac))));
        },
        back: async () => {
          check(await socket.batch(bare.map(({ address }) => deleteNeighbour(link, address))));
          check(await socket.batch(bare.map(({ mac, vtep }) => deleteFdb(link, mac, vtep))));
        },
      },
    );
  const first = await compared();
  await kernel.ensure(planOf(peers(96, CROWD)), none);
  const crowded = await compared();
  const common = { peerName: 'bare netlink', unit: 'ms' } as const;
  return [
    { name: '1,000 containers of other hosts, told', ...first.there, ...common, promise: { atMost: 2 } },
    { name: '1,000 containers of other hosts, gone', ...first.back, ...common },
    { name: '1,000 more beside 20,000, told', ...crowded.there, ...common, promise: { atMost: 2 } },
  ];
}

export const remotePeers: Group = { name: 'remote-peers', measure };
