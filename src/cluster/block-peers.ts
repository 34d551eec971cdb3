/** The blocks of the other hosts of a network, all that a host has as one peer: one entry a host, a route a block. */
import type { Peer } from '../plan/driver.ts';
import type { BlockLayout } from './block-layout.ts';
import type { PeerReading } from './peers.ts';
import { parseBlock, type BlockValue } from './values.ts';

export type BlocksPeer = Extract<Peer, { readonly kind: 'blocks' }>;

/** A key that is no block of this network leads nowhere. */
export function blockReading(layout: BlockLayout): PeerReading<BlockValue, BlocksPeer> {
  return {
    read: parseBlock,
    groupOf: ({ host }) => host,
    namesOf: () => [],
    peer: (_value, members, vtep) => {
      const blocks = members.flatMap((name) => layout.named(name) ?? []).toSorted((a, b) => a.index - b.index);
      return { kind: 'blocks', blocks: blocks.flatMap(({ prefixes }) => prefixes), vtep };
    },
  };
}
