/**
 * Which blocks of a network are this host's. Making the key of a block is claiming it, as with single addresses; but it is done once
 * for a block of them, and what a host has it has without asking again.
 *
 * A key that was to be given back, and whose answer was lost, is nobody's until the store has said so: another host may have
 * the block by now.
 */
import type { ClusterStore, StoredItem } from '../model/cluster-store.ts';
import { TsnetError } from '../model/error.ts';
import type { Network } from '../model/records.ts';
import type { Block, BlockLayout } from './block-layout.ts';
import { blockKey, nameIn, networkKey, networkOfHostKey } from './keys.ts';
import type { Mirror } from './mirror.ts';
import { parseBlock, parseNetwork } from './values.ts';

export interface OwnBlocksOptions {
  readonly store: Pick<ClusterStore, 'get' | 'transact'>;
  readonly self: string;
  readonly network: Pick<Network, 'id' | 'name'>;
  readonly layout: BlockLayout;
  /** The blocks of the network, as far as they are known. */
  readonly mirror: Mirror;
  /** @throws TsnetError RUNTIME where this host is not in the cluster now */
  readonly beInTouch: () => void;
  /** A block is this host's from now on, before the store tells. */
  readonly took: (item: StoredItem) => void;
}

export interface OwnBlocks {
  /** In order; those that are being given back left out. */
  all(): Block[];
  has(block: Block): boolean;
  /** The host that has a block, this one included, as far as that is known. */
  holderOf(block: Block): string | undefined;
  /**
   * Claims a block. Answers the host that has it now, which may be another.
   * @throws TsnetError NOT_FOUND where the network is going; RUNTIME or TIMEOUT where the store cannot be asked
   */
  take(block: Block): Promise<string>;
  /** Lets others have a block. Rejects where the store cannot be asked: then it is not used until it was. */
  giveBack(block: Block): Promise<void>;
  /** Those whose going was never confirmed. */
  doubtful(): Block[];
}

/** Each try that fails was crossed by a change of somebody else's. */
const MOST_TRIES = 16;

export function openOwnBlocks({ store, self, network, layout, mirror, beInTouch, took }: OwnBlocksOptions): OwnBlocks {
  const leaving = new Set<string>();
  /** Of the network's key, so that a claim is one round trip. */
  let known: string | undefined;

  const holderOf = ({ name }: Block): string | undefined => {
    const item = mirror.item(blockKey(network.id, name));
    return item === undefined ? undefined : parseBlock(item.value)?.host;
  };

  const activeNetwork = async (): Promise<string> => {
    const item = await store.get(networkKey(network.id));
    if (item !== undefined && parseNetwork(item.value)?.state === 'active') return item.revision;
    throw new TsnetError(
      'NOT_FOUND',
      `take a block of addresses of network ${network.name}: the network is being removed`,
    );
  };

  let kept: { readonly generation: number; readonly blocks: readonly Block[] } | undefined;
  /** All that the mirror has of this host, in order. Every attach asks, and there may be thousands of others'. */
  const listed = (): readonly Block[] => {
    const generation = mirror.generation();
    if (kept?.generation === generation) return kept.blocks;
    const blocks = [...mirror.items().values()]
      .flatMap(({ key, value }) => (parseBlock(value)?.host === self ? (layout.named(nameIn(key)) ?? []) : []))
      .toSorted((a, b) => a.index - b.index);
    kept = { generation, blocks };
    return blocks;
  };

  const text = JSON.stringify({ host: self });
  const ours = (block: Block): string => {
    leaving.delete(block.name);
    const key = blockKey(network.id, block.name);
    // Its revision is told with the event; nothing is done with it before.
    if (mirror.item(key)?.value !== text) took({ key, value: text, revision: '' });
    return self;
  };

  const take = async (block: Block): Promise<string> => {
    beInTouch();
    const key = blockKey(network.id, block.name);
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const revision = (known ??= await activeNetwork());
      const made = await store.transact({
        expect: [{ key: networkKey(network.id), revision }, { key }],
        operations: [
          { kind: 'put', key, value: text },
          { kind: 'put', key: networkOfHostKey(self, network.id), value: '{}' },
        ],
      });
      if (made.ok) return ours(block);
      known = undefined;
      const item = await store.get(key);
      const holder = item === undefined ? undefined : (parseBlock(item.value)?.host ?? 'unknown');
      if (item === undefined || holder === undefined) continue;
      if (holder !== self) return holder;
      // Written anew, so that a deletion of ours whose answer was lost cannot strike it any more.
      const kept = await store.transact({
        expect: [{ key, revision: item.revision }],
        operations: [{ kind: 'put', key, value: text }],
      });
      if (kept.ok) return ours(block);
    }
    throw new TsnetError(
      'RUNTIME',
      `take block ${block.prefixes[0] ?? ''} of network ${network.name}: others change it all the time; try again`,
    );
  };

  return {
    all: () => listed().filter(({ name }) => !leaving.has(name)),
    has: (block) => holderOf(block) === self && !leaving.has(block.name),
    holderOf,
    take,
    giveBack: async (block) => {
      const key = blockKey(network.id, block.name);
      leaving.add(block.name);
      const item = await store.get(key);
      if (item === undefined || parseBlock(item.value)?.host !== self) return;
      await store.transact({ expect: [{ key, revision: item.revision }], operations: [{ kind: 'delete', key }] });
    },
    doubtful: () => {
      for (const name of leaving) {
        const block = layout.named(name);
        if (block === undefined || holderOf(block) !== self) leaving.delete(name);
      }
      return [...leaving].flatMap((name) => layout.named(name) ?? []);
    },
  };
}
