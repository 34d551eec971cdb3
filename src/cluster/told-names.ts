/**
 * The names of this host's containers, told to the others through the store, where hosts have blocks and a network asks for it
 * (`names=store`). Nothing waits for it: a container is attached before its names are told, and goes whether they can be taken back or not.
 *
 * Nobody watches these keys (`name-lookup.ts` asks for one name when it is wanted), so that a container costs the other hosts nothing.
 */
import { MAX_OPERATIONS, type ClusterStore, type StoreOperation } from '../model/cluster-store.ts';
import { nameIn, namedBy, namedKey, nameKey } from './keys.ts';
import { parseNamed, type NamedValue } from './values.ts';

type Store = Pick<ClusterStore, 'list' | 'transact'>;

export interface ToldNamesOptions {
  readonly store: Store;
  readonly self: string;
  readonly networkId: string;
  /** The endpoints of this host, as its record has them, whose addresses are this host's to give. */
  readonly wanted: () => readonly NamedValue[];
  /** @throws TsnetError RUNTIME where this host is not in the cluster now */
  readonly beInTouch: () => void;
}

export interface ToldNames {
  /** Brings the store to what is wanted; what is gone goes first. Rejects where the store cannot be asked. */
  tell(): Promise<void>;
  /** Somebody else may have changed what the store has of ours: it is read before the next change. */
  doubt(): void;
  /** The last `tell` was not done to its end. */
  isBehind(): boolean;
  /** The store has no name of ours. */
  isClear(): boolean;
}

/** A name that others can be asked for: one label. Names with dots are the public tree's, and not looked for in the store. */
const SHARED_NAME = /^[a-z0-9_][a-z0-9_-]{0,62}$/;
/** Changing all of them is one transaction still. */
const MOST_NAMES = (MAX_OPERATIONS - 2) / 2;

/** Of an endpoint's names, those that are told. */
export function sharedNames(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => name.toLowerCase()))].filter(isSharedName).slice(0, MOST_NAMES);
}

export function isSharedName(name: string): boolean {
  return SHARED_NAME.test(name);
}

export function openToldNames({ store, self, networkId, wanted, beInTouch }: ToldNamesOptions): ToldNames {
  /** By first address, as text; undefined: what the store has is not known. */
  let told: Map<string, string> | undefined;
  let isBehind = false;

  const keysOf = (address: string, names: readonly string[]): string[] =>
    names.map((name) => nameKey(networkId, name, { host: self, address }));

  /** From what the store has of one endpoint to what it should have. */
  const change = (address: string, before: string | undefined, after: NamedValue | undefined): StoreOperation[] => {
    const had = keysOf(address, before === undefined ? [] : (parseNamed(before)?.names ?? []));
    const keys = keysOf(address, after?.names ?? []);
    const gone = had.filter((key) => !keys.includes(key)).map((key): StoreOperation => ({ kind: 'delete', key }));
    const key = namedKey(networkId, self, address);
    if (after === undefined) return [{ kind: 'delete', key }, ...gone];
    const value = JSON.stringify({ addresses: after.addresses });
    return [
      { kind: 'put', key, value: JSON.stringify(after) },
      ...gone,
      ...keys.map((one): StoreOperation => ({ kind: 'put', key: one, value })),
    ];
  };

  const write = async (changes: readonly StoreOperation[][]): Promise<void> => {
    for (const operations of packed(changes)) await store.transact({ expect: [], operations });
  };

  const bring = async (): Promise<void> => {
    beInTouch();
    const known = told ?? (await read(store, networkId, self));
    // Until all is done it is not known what was.
    told = undefined;
    const next = new Map(wanted().flatMap((one) => (one.names.length === 0 ? [] : [[one.addresses[0] ?? '', one]])));
    const gone = [...known].filter(([address]) => !next.has(address));
    const changed = [...next].filter(([address, one]) => known.get(address) !== JSON.stringify(one));
    await write(gone.map(([address, before]) => change(address, before, undefined)));
    await write(changed.map(([address, one]) => change(address, known.get(address), one)));
    told = new Map([...next].map(([address, one]) => [address, JSON.stringify(one)]));
  };

  let isDoubted = false;
  const run = async (): Promise<void> => {
    if (isDoubted) told = undefined;
    isDoubted = false;
    isBehind = true;
    await bring();
    isBehind = false;
  };
  /** One at a time; at most one waits, and does for all who came meanwhile. */
  let last: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  return {
    tell: () =>
      (next ??= last.then(() => {
        next = undefined;
        const now = run();
        last = now.catch(() => undefined);
        return now;
      })),
    doubt: () => {
      isDoubted = true;
    },
    isBehind: () => isBehind,
    isClear: () => !isBehind && told?.size === 0,
  };
}

async function read(store: Store, networkId: string, hostId: string): Promise<Map<string, string>> {
  const { items } = await store.list(namedBy(networkId, hostId));
  return new Map(items.map(({ key, value }) => [nameIn(key), value]));
}

/** Transactions of as many whole endpoints as fit. */
function packed(changes: readonly StoreOperation[][]): StoreOperation[][] {
  const transactions: StoreOperation[][] = [];
  for (const operations of changes) {
    const open = transactions.at(-1);
    if (open === undefined || open.length + operations.length > MAX_OPERATIONS) transactions.push([...operations]);
    else open.push(...operations);
  }
  return transactions;
}

/** All keys by which a host's containers are called in a network. */
export async function nameKeysOfHost(store: Store, networkId: string, hostId: string): Promise<string[]> {
  const { items } = await store.list(namedBy(networkId, hostId));
  return items.flatMap(({ key, value }) => [
    // The list of its names goes last: who is interrupted finds the rest.
    ...(parseNamed(value)?.names ?? []).map((name) => nameKey(networkId, name, { host: hostId, address: nameIn(key) })),
    key,
  ]);
}
