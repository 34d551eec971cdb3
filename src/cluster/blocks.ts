/**
 * Addresses of a network whose hosts have blocks of them. As long as a block of this host has room nobody is asked: an attach costs no
 * round trip, and works while the store is away. Which addresses are in use says this host's own record alone.
 *
 * A block is taken when there is no room left, and given back when nothing was in it for the time that addresses rest.
 */
import type { ClusterStore, StoredItem } from '../model/cluster-store.ts';
import { familyOf, formatAddress } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { Family, Network } from '../model/records.ts';
import { isNextHop, roomIn, type Block, type BlockLayout } from './block-layout.ts';
import type { ClaimedAddresses, ClaimRequest } from './claims.ts';
import type { ClusterClock } from './clock.ts';
import type { Mirror } from './mirror.ts';
import { openOwnBlocks } from './own-blocks.ts';

export interface BlocksOptions {
  readonly store: Pick<ClusterStore, 'get' | 'transact'>;
  readonly self: string;
  readonly network: Network;
  readonly layout: BlockLayout;
  /** The blocks of the network, as far as they are known. */
  readonly mirror: Mirror;
  readonly clock: ClusterClock;
  readonly random: () => number;
  /** How long a block stays without an address in use. */
  readonly quarantineMs: number;
  /** What this host's record says of an address. */
  readonly leaseOf: (address: string) => 'held' | 'resting' | undefined;
  /** Addresses of the network that endpoints of this host have. */
  readonly addresses: () => Iterable<string>;
  readonly isActive: () => boolean;
  /** @throws TsnetError RUNTIME where this host is not in the cluster now */
  readonly beInTouch: () => void;
  /** A block is this host's from now on, before the store tells. */
  readonly took: (item: StoredItem) => void;
  /** What people call a host. */
  readonly nameOf: (hostId: string) => string;
}

export interface ClaimedFromBlock extends ClaimedAddresses {
  /** The other hosts have to hear of a block before they reach the address. */
  readonly isNewBlock: boolean;
}

/** A block that another host has, with a container of ours in it. */
export interface BlockConflict {
  readonly block: string;
  readonly host: string;
}

export interface Blocks {
  /** @throws TsnetError FORBIDDEN, EXHAUSTED, NOT_FOUND; RUNTIME or TIMEOUT where a block is needed and the store cannot be asked */
  claim(request: ClaimRequest): Promise<ClaimedFromBlock>;
  /** The endpoint of these addresses is on record, or will not be. */
  settle(addresses: readonly string[]): void;
  /** Whether the store has a block of this host's. */
  hasAny(): boolean;
  /** In so many milliseconds `tend` has something to do, though nothing happens; undefined: nothing. */
  dueInMs(): number | undefined;
  /**
   * This host's blocks against its record: takes those again that its containers are in, gives those back that have been empty
   * for long. Rejects where the store cannot be asked.
   */
  tend(): Promise<BlockConflict[]>;
}

/** What was to be given back, and may not have been, is looked at again after so long. */
const AGAIN_MS = 1000;

export function openBlocks(options: BlocksOptions): Blocks {
  const { network, self, layout, mirror, clock, random, quarantineMs, leaseOf, nameOf } = options;
  const { addresses, isActive } = options;
  const blocks = openOwnBlocks(options);
  /** Chosen, and not on record yet. */
  const underWay = new Set<string>();
  const emptySince = new Map<string, number>();
  let wasLive = false;

  const families = ([4, 6] as const).filter((family) =>
    network.pools.some(({ subnet }) => familyOf(subnet) === family),
  );

  const inUse = (): Set<string> =>
    new Set([...addresses(), ...underWay].flatMap((address) => layout.of(address)?.name ?? []));

  /**
   * Until the store was heard once, a block is ours for certain only if something is in it: a daemon that was killed may have given
   * an empty one back a moment before.
   */
  const own = (): Block[] => {
    wasLive ||= mirror.isLive();
    const all = blocks.all();
    if (wasLive) return all;
    const used = inUse();
    return all.filter(({ name }) => used.has(name));
  };

  const addressIn = (block: Block, family: Family, wanted: 'free' | 'resting'): string | undefined => {
    const room = roomIn(block, network.pools, family);
    if (room === undefined) return undefined;
    for (let value = room.first; value <= room.last; value++) {
      if (room.reserved.has(value)) continue;
      const address = formatAddress({ family, value });
      if (underWay.has(address)) continue;
      const lease = leaseOf(address);
      if (lease === undefined || (wanted === 'resting' && lease === 'resting')) return address;
    }
    return undefined;
  };

  /** One address a family out of one block; undefined where it has no room. */
  const chooseIn = (block: Block, wanted: readonly Family[], how: 'free' | 'resting'): string[] | undefined => {
    const chosen = wanted.flatMap((family) => addressIn(block, family, how) ?? []);
    return chosen.length === wanted.length ? chosen : undefined;
  };

  const firstChoice = (among: readonly Block[], wanted: readonly Family[], how: 'free' | 'resting') => {
    for (const block of among) {
      const chosen = chooseIn(block, wanted, how);
      if (chosen === undefined) continue;
      for (const address of chosen) underWay.add(address);
      return chosen;
    }
    return undefined;
  };

  /** A block that nobody has, as far as that is known; hosts that all began at the same one would all want the same. */
  const freeBlock = (lost: ReadonlySet<string>): Block | undefined => {
    const start = Math.floor(random() * layout.count);
    for (let step = 0; step < layout.count; step++) {
      const block = layout.at((start + step) % layout.count);
      if (lost.has(block.name) || blocks.holderOf(block) !== undefined) continue;
      if (families.every((family) => roomIn(block, network.pools, family) !== undefined)) return block;
    }
    return undefined;
  };

  const takeAny = async (): Promise<boolean> => {
    const lost = new Set<string>();
    for (let block = freeBlock(lost); block !== undefined; block = freeBlock(lost)) {
      if ((await blocks.take(block)) === self) return true;
      lost.add(block.name);
    }
    return false;
  };

  /** One at a time: who waits finds room in what the one before took. */
  let taking: Promise<boolean> | undefined;
  const takeOne = (): Promise<boolean> =>
    (taking ??= takeAny().finally(() => {
      taking = undefined;
    }));

  /** An address that was asked for by name. Answers whether its block is new here. */
  const takeFor = async ({ sandboxName }: ClaimRequest, address: string): Promise<boolean> => {
    const act = `connect ${sandboxName} to ${network.name}: address ${address}`;
    const block = layout.of(address);
    const [prefix = ''] = block?.prefixes ?? [];
    if (block === undefined) throw new TsnetError('INVALID', `${act} is in no block of the network`);
    if (isNextHop(block, address)) {
      throw new TsnetError('FORBIDDEN', `${act} is the first of block ${prefix}, which is nobody's; choose another`);
    }
    if (own().some(({ name }) => name === block.name)) return false;
    const known = blocks.holderOf(block);
    const holder = known === undefined || known === self ? await blocks.take(block) : known;
    if (holder === self) return true;
    const mine = own().map(({ prefixes }) => prefixes[0] ?? '');
    const way = mine.length === 0 ? 'choose another' : `choose one of this host's (${mine.join(', ')})`;
    throw new TsnetError(
      'FORBIDDEN',
      `${act} is in block ${prefix}, which host ${nameOf(holder)} has; ${way}, or leave --ip out`,
    );
  };

  const choose = async (
    request: ClaimRequest,
    wanted: readonly Family[],
  ): Promise<{ readonly chosen: readonly string[]; readonly isNewBlock: boolean }> => {
    let isNewBlock = false;
    if (wanted.length === 0) return { chosen: [], isNewBlock };
    for (;;) {
      const chosen = firstChoice(own(), wanted, 'free');
      if (chosen !== undefined) return { chosen, isNewBlock };
      let failure: unknown;
      const taken = await takeOne().catch((error: unknown) => {
        failure = error;
        return false;
      });
      isNewBlock ||= taken;
      if (taken) continue;
      const rested = firstChoice(own(), wanted, 'resting');
      if (rested !== undefined) return { chosen: rested, isNewBlock };
      if (failure !== undefined) throw noneTaken(failure);
      throw new TsnetError(
        'EXHAUSTED',
        `connect ${request.sandboxName} to ${network.name}: this host's blocks are full, and all ${layout.count} of the network are taken; disconnect containers, or make a network with a larger subnet or smaller blocks`,
      );
    }
  };

  return {
    claim: async (request) => {
      if (!isActive()) {
        throw new TsnetError(
          'NOT_FOUND',
          `connect ${request.sandboxName} to ${network.name}: the network is being removed`,
        );
      }
      const fixed = [request.ip, request.ip6].filter((address) => address !== undefined);
      for (const address of fixed) underWay.add(address);
      try {
        let isNewBlock = false;
        for (const address of fixed) isNewBlock = (await takeFor(request, address)) || isNewBlock;
        const asked = families.filter((family) => request.families?.includes(family) ?? true);
        const wanted = asked.filter((family) => !fixed.some((address) => familyOf(address) === family));
        const rest = await choose(request, wanted);
        const all = [...fixed, ...rest.chosen];
        const [ip, ip6] = ([4, 6] as const).map((family) => all.find((address) => familyOf(address) === family));
        return {
          ...(ip === undefined ? {} : { ip }),
          ...(ip6 === undefined ? {} : { ip6 }),
          isNewBlock: isNewBlock || rest.isNewBlock,
        };
      } catch (error) {
        for (const address of fixed) underWay.delete(address);
        throw error;
      }
    },
    settle: (settled) => {
      for (const address of settled) underWay.delete(address);
    },
    hasAny: () => blocks.all().length > 0 || blocks.doubtful().length > 0,
    dueInMs: () => {
      if (blocks.doubtful().length > 0) return AGAIN_MS;
      const used = inUse();
      const times = blocks.all().flatMap(({ name }) => (used.has(name) ? [] : [emptySince.get(name) ?? clock.now()]));
      if (times.length === 0) return undefined;
      return isActive() ? Math.max(0, Math.min(...times) + quarantineMs - clock.now()) : 0;
    },
    tend: async () => {
      const conflicts: BlockConflict[] = [];
      for (const name of inUse()) {
        const block = layout.named(name);
        if (block === undefined || blocks.has(block)) continue;
        const holder = await blocks.take(block);
        if (holder !== self) conflicts.push({ block: block.prefixes[0] ?? '', host: nameOf(holder) });
      }
      for (const block of blocks.doubtful()) await blocks.giveBack(block);
      const used = inUse();
      const empty = blocks.all().filter(({ name }) => !used.has(name));
      const names = new Set(empty.map(({ name }) => name));
      for (const name of emptySince.keys()) if (!names.has(name)) emptySince.delete(name);
      for (const block of empty) {
        const since = emptySince.get(block.name) ?? clock.now();
        emptySince.set(block.name, since);
        const isDue = !isActive() || clock.now() - since >= quarantineMs;
        // Something may have got an address in it while we waited for the store.
        if (isDue && !inUse().has(block.name)) await blocks.giveBack(block);
      }
      return conflicts;
    },
  };
}

/** The store does not answer: who reads it should know why that matters now, and did not a moment ago. */
function noneTaken(error: unknown): unknown {
  if (!(error instanceof TsnetError) || (error.code !== 'RUNTIME' && error.code !== 'TIMEOUT')) return error;
  return new TsnetError(error.code, `this host's blocks have no room, and it cannot take another: ${error.message}`, {
    cause: error,
  });
}
