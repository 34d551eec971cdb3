/** Names in a network whose hosts have blocks: told through the store where the network asks for it, else known on their own host alone. */
import type { BlockLayout } from '../../cluster/block-layout.ts';
import { blockKey } from '../../cluster/keys.ts';
import type { Mirror } from '../../cluster/mirror.ts';
import { openNameLookup, type NameLookup } from '../../cluster/name-lookup.ts';
import { openToldNames, sharedNames, type ToldNames } from '../../cluster/told-names.ts';
import { parseBlock, type NamedValue } from '../../cluster/values.ts';
import { withoutLength } from '../../model/address.ts';
import { driverOf } from '../../engine/context.ts';
import type { JoinOptions } from './joined-network.ts';

export interface NetworkNames extends NameLookup, ToldNames {
  /** Tells in the background; what fails is told when the network's keys are looked after next. */
  tellSoon(): void;
}

const NAMES_OF_ONE_HOST: NetworkNames = {
  named: () => Promise.resolve([]),
  nameOf: () => Promise.resolve(undefined),
  tell: () => Promise.resolve(),
  tellSoon: () => undefined,
  doubt: () => undefined,
  isBehind: () => false,
  isClear: () => true,
};

export function openNetworkNames(options: JoinOptions, layout: BlockLayout, mirror: Mirror): NetworkNames {
  const { context, network, self, hosts, lookSoon } = options;
  const { id } = network;
  if (driverOf(context, network).tellsNames?.(network) !== true) return NAMES_OF_ONE_HOST;

  /** Who gives out an address. */
  const holderOf = (address: string): string | undefined => {
    const block = layout.of(address);
    const item = block === undefined ? undefined : mirror.item(blockKey(id, block.name));
    return item === undefined ? undefined : parseBlock(item.value)?.host;
  };
  const wanted = (): NamedValue[] =>
    context.ledger.read((view) =>
      view.endpointsOfNetwork(id).flatMap(({ addresses: all, aliases, sandboxId, state }) => {
        const sandbox = view.sandbox(sandboxId);
        const addresses = all.map(({ address }) => withoutLength(address));
        const [first] = addresses;
        if (sandbox === undefined || first === undefined || state === 'attaching' || state === 'detaching') return [];
        // In a block that another host has by now it leads there.
        return holderOf(first) === self ? [{ addresses, names: sharedNames([sandbox.name, ...aliases]) }] : [];
      }),
    );
  const told = openToldNames({ ...options, networkId: id, wanted });
  const lookup = openNameLookup({
    ...options,
    networkId: id,
    isInTouch: () => mirror.isLive(),
    hostOf: (address) => {
      const host = holderOf(address);
      return host === undefined || (hosts.find(host)?.state ?? 'dead') === 'dead' ? undefined : host;
    },
  });
  return {
    ...told,
    ...lookup,
    tellSoon: () => {
      // Whoever looks after the keys of the network tells why, and tries again.
      told.tell().catch(lookSoon);
    },
  };
}
