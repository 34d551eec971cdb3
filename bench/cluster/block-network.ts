/**
 * A simulated host's part in a network whose hosts have blocks of addresses: what `daemon/cluster/block-network.ts` does, with a set in the
 * place of the ledger and the kernel left out.
 */
import { overlayPeerPlan } from '../../drivers/overlay/peers.ts';
import type { OverlaySettings } from '../../drivers/overlay/settings.ts';
import { blockLayout } from '../../src/cluster/block-layout.ts';
import { blockReading } from '../../src/cluster/block-peers.ts';
import { openBlocks } from '../../src/cluster/blocks.ts';
import type { Claims } from '../../src/cluster/claims.ts';
import type { ClusterClock } from '../../src/cluster/clock.ts';
import { blocksOf } from '../../src/cluster/keys.ts';
import { openMirror, type Change, type Mirror } from '../../src/cluster/mirror.ts';
import { openTableOf, type PeerTable, type PeerTableOptions } from '../../src/cluster/peers.ts';
import type { ClusterStore } from '../../src/model/cluster-store.ts';
import type { Network } from '../../src/model/records.ts';
import { simulatedNetwork } from './layout.ts';

export interface BlockNetwork {
  readonly mirror: Mirror;
  readonly claims: Pick<Claims, 'claim' | 'settle' | 'release'>;
  readonly table: Pick<PeerTable, 'hostsChanged' | 'take'>;
}

export interface BlockNetworkOptions {
  readonly store: ClusterStore;
  readonly self: string;
  readonly network: Network;
  readonly hostOf: PeerTableOptions['hostOf'];
  readonly clock: ClusterClock;
  readonly heard: (changes: readonly Change[]) => void;
}

const BLOCK_LENGTH = 24;

/** All hosts on one network: 65,536 blocks. */
export function simulatedBlockNetwork(): Network {
  const network = simulatedNetwork(0, '10.0.0.0/8');
  return { ...network, settings: { ...network.settings, mode: 'block', blockLength: BLOCK_LENGTH } };
}

export function openBlockNetwork(options: BlockNetworkOptions): BlockNetwork {
  const { store, self, network, hostOf, clock, heard } = options;
  const layout = blockLayout(network, BLOCK_LENGTH);
  const settings = network.settings as unknown as OverlaySettings;
  const planOf = (peer: Parameters<typeof overlayPeerPlan>[2]) => overlayPeerPlan(network, settings, peer);
  const table = openTableOf(blockReading(layout), { self, hostOf, planOf });
  const mirror = openMirror({
    store,
    prefix: blocksOf(network.id),
    clock,
    onChanges: (changes) => {
      table.apply(changes);
      table.take();
      heard(changes);
    },
  });
  const held = new Set<string>();
  const blocks = openBlocks({
    store,
    self,
    network,
    layout,
    mirror,
    clock,
    random: Math.random,
    quarantineMs: 60_000,
    leaseOf: (address) => (held.has(address) ? 'held' : undefined),
    addresses: () => held,
    isActive: () => true,
    beInTouch: () => undefined,
    took: (item) => {
      mirror.expect(item);
    },
    nameOf: (host) => host,
  });
  return {
    mirror,
    table,
    claims: {
      claim: async (request) => {
        const claimed = await blocks.claim(request);
        held.add(claimed.ip ?? '');
        return claimed;
      },
      settle: (addresses) => {
        blocks.settle(addresses);
      },
      release: (_networkId, _sandboxId, addresses) => {
        for (const address of addresses) held.delete(address);
        return Promise.resolve();
      },
    },
  };
}
