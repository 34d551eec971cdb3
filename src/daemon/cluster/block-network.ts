/**
 * A network whose hosts have blocks of addresses: what is in the store and in the kernel grows with the hosts, not with their
 * containers, and an attach asks nobody while a block has room.
 */
import type { BlockLayout } from '../../cluster/block-layout.ts';
import { blockReading } from '../../cluster/block-peers.ts';
import { openBlocks } from '../../cluster/blocks.ts';
import { pause } from '../../cluster/clock.ts';
import { blocksOf } from '../../cluster/keys.ts';
import { parseBlock } from '../../cluster/values.ts';
import { withoutLength } from '../../model/address.ts';
import type { StoredItem } from '../../model/cluster-store.ts';
import { TsnetError } from '../../model/error.ts';
import { LEFT_FOR_MS } from './collector.ts';
import { followDirectory } from './followed-directory.ts';
import { HEARD_MS, type JoinedNetwork, type JoinOptions } from './joined-network.ts';
import { openNetworkNames } from './network-names.ts';

/** Names that could not be told are told again after so long, where the store is in reach. */
const NAMES_AGAIN_MS = 5000;

export function joinByBlock(options: JoinOptions, layout: BlockLayout): JoinedNetwork {
  const { context, network, self, hosts, clock, log, beInTouch, isActive, outageMs, lookSoon } = options;
  const { id, name } = network;
  /** Blocks that containers of ours are in and another host has: "10.77.3.0/24" → its name. */
  let conflicts = new Map<string, string>();
  const isOurs = (item: StoredItem | undefined): boolean => item !== undefined && parseBlock(item.value)?.host === self;
  const directory = followDirectory(options, {
    prefix: blocksOf(id),
    reading: blockReading(layout),
    heard: (changes) => {
      const isLost = changes.some(({ before, after }) => isOurs(before) && !isOurs(after));
      if (isLost || (changes.length > 0 && conflicts.size > 0)) lookSoon();
    },
  });
  const { mirror } = directory;
  const addresses = (): string[] =>
    context.ledger.read((view) => [
      ...view
        .endpointsOfNetwork(id)
        .flatMap((endpoint) => endpoint.addresses.map(({ address }) => withoutLength(address))),
      ...view.leases(id).flatMap(({ address, holder }) => (holder.kind === 'docker' ? [address] : [])),
    ]);
  const blocks = openBlocks({
    ...options,
    layout,
    mirror,
    random: Math.random,
    addresses,
    isActive: () => isActive(id),
    leaseOf: (address) => {
      const holder = context.ledger.read((view) => view.lease(id, address));
      if (holder === undefined) return undefined;
      if (holder.kind !== 'quarantine') return 'held';
      return holder.untilMs > context.now() ? 'resting' : undefined;
    },
    took: (item) => {
      directory.keeps(item);
    },
    nameOf: (hostId) => hosts.find(hostId)?.value.name ?? hostId,
  });

  const names = openNetworkNames(options, layout, mirror);

  /** Others may have been given the blocks of a host that was not heard of for so long. */
  const refuseAfterLongOutage = (): void => {
    if (outageMs() < LEFT_FOR_MS) return;
    throw new TsnetError(
      'RUNTIME',
      `this host has been out of touch with the cluster store for ${Math.floor(outageMs() / 60_000)} minutes: its blocks may be another host's by now`,
    );
  };

  return {
    ...directory,
    network,
    claim: async (request) => {
      refuseAfterLongOutage();
      if (!mirror.isKnown()) beInTouch();
      await directory.untilListed();
      const { isNewBlock, ...claimed } = await blocks.claim(request);
      return { ...claimed, heard: isNewBlock ? pause(clock, HEARD_MS) : Promise.resolve() };
    },
    // Nobody else has to know whose an address of ours is.
    assign: () => Promise.resolve(),
    settle: (settled) => {
      blocks.settle(settled);
      names.tellSoon();
    },
    // The record says that the addresses are free, and nobody else has to know.
    release: () => {
      names.tellSoon();
      return Promise.resolve();
    },
    named: (one) => names.named(one),
    nameOf: (address) => names.nameOf(address),
    doubt: () => {
      names.doubt();
    },
    reconcile: async () => {
      const found = new Map((await blocks.tend()).map(({ block, host }) => [block, host]));
      for (const [block, host] of found) {
        if (conflicts.get(block) === host) continue;
        log.error(
          { network: name, block, host },
          'another host has a block of addresses that containers of ours are in: disconnect them and connect them again',
        );
      }
      conflicts = found;
      await names.tell();
    },
    dueInMs: () => {
      const due = [blocks.dueInMs(), names.isBehind() ? NAMES_AGAIN_MS : undefined].filter((ms) => ms !== undefined);
      return due.length === 0 ? undefined : Math.min(...due);
    },
    isClear: () => !blocks.hasAny() && names.isClear(),
    counts: () => ({ endpoints: addresses().length, blocks: mirror.items().size }),
  };
}
