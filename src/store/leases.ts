/**
 * Who holds which address, and which addresses are held in one run.
 *
 * Beside the holder of each address the maximal runs of held addresses are kept, start → end, so that "the next free one"
 * is one seek and one step at any number of leases. Holding an address may join the runs on its two sides, releasing it may
 * split one; either changes two keys at most. Quarantined addresses are held, and queue up by the end of their rest;
 * so are those that somebody on the LAN has.
 */
import { parseAddress } from '../model/address.ts';
import type { Leases, TakenRun } from '../model/ledger.ts';
import type { Family, Lease, LeaseHolder } from '../model/records.ts';
import { removeUnder, type Entry, type KeyValues } from './key-values.ts';
import { addressOf, leaseTables, tablesOfNetwork } from './keys.ts';

type Tables = ReturnType<typeof leaseTables>;

function valueIn(key: string): bigint {
  return BigInt(`0x${key.slice(key.lastIndexOf('/') + 1)}`);
}

function toRun({ key, value }: Entry): TakenRun {
  return { start: valueIn(key), end: BigInt(`0x${value as string}`) };
}

function runAt(pairs: KeyValues, tables: Tables, address: bigint): TakenRun | undefined {
  const entry = pairs.atOrBefore(tables.runs, tables.run(address));
  const run = entry && toRun(entry);
  return run !== undefined && run.end >= address ? run : undefined;
}

/** The same for an address that is likely to be free: whether it is held at all costs less to find out. */
function heldRunAt(pairs: KeyValues, tables: Tables, address: bigint): TakenRun | undefined {
  return pairs.get(tables.lease(address)) === undefined ? undefined : runAt(pairs, tables, address);
}

function putRun(pairs: KeyValues, tables: Tables, { start, end }: TakenRun): void {
  pairs.put(tables.run(start), end.toString(16));
}

function joinRuns(pairs: KeyValues, tables: Tables, address: bigint): void {
  const before = address === 0n ? undefined : heldRunAt(pairs, tables, address - 1n);
  const after = pairs.get(tables.run(address + 1n)) as string | undefined;
  if (after !== undefined) pairs.remove(tables.run(address + 1n));
  putRun(pairs, tables, {
    start: before?.start ?? address,
    end: after === undefined ? address : BigInt(`0x${after}`),
  });
}

function splitRun(pairs: KeyValues, tables: Tables, address: bigint): void {
  const run = runAt(pairs, tables, address);
  if (run === undefined) return;
  if (run.start === address) pairs.remove(tables.run(address));
  else putRun(pairs, tables, { start: run.start, end: address - 1n });
  if (run.end > address) putRun(pairs, tables, { start: address + 1n, end: run.end });
}

/** Holds an address; a former holder is replaced. `dynamic` moves the cursor of dynamic addresses to it. */
export function holdAddress(
  pairs: KeyValues,
  { networkId, address, holder, how }: Lease & { readonly how: 'dynamic' | 'static' },
): void {
  const { family, value } = parseAddress(address);
  const tables = leaseTables(networkId, family);
  const former = pairs.get(tables.lease(value)) as LeaseHolder | undefined;
  if (former === undefined) joinRuns(pairs, tables, value);
  else if ('untilMs' in former) pairs.remove(tables.rest(former.untilMs, value));
  pairs.put(tables.lease(value), holder);
  if ('untilMs' in holder) pairs.put(tables.rest(holder.untilMs, value), holder.untilMs);
  if (how === 'dynamic') pairs.put(tables.last, value.toString(16));
}

/** Lets go of an address; nothing happens when nobody holds it. */
export function releaseAddress(pairs: KeyValues, networkId: string, address: string): void {
  const { family, value } = parseAddress(address);
  const tables = leaseTables(networkId, family);
  const former = pairs.get(tables.lease(value)) as LeaseHolder | undefined;
  if (former === undefined) return;
  pairs.remove(tables.lease(value));
  if ('untilMs' in former) pairs.remove(tables.rest(former.untilMs, value));
  splitRun(pairs, tables, value);
}

export function forgetLeases(pairs: KeyValues, networkId: string): void {
  for (const prefix of tablesOfNetwork(networkId)) removeUnder(pairs, prefix);
}

export function leaseHolder(pairs: KeyValues, networkId: string, address: string): LeaseHolder | undefined {
  const { family, value } = parseAddress(address);
  return pairs.get(leaseTables(networkId, family).lease(value)) as LeaseHolder | undefined;
}

/** In address order, IPv4 first. */
export function allLeases(pairs: KeyValues, networkId: string): Lease[] {
  return ([4, 6] as const).flatMap((family) =>
    pairs.under(leaseTables(networkId, family).leases).map(({ key, value }) => ({
      networkId,
      address: addressOf(family, key.slice(key.lastIndexOf('/') + 1)),
      holder: value as LeaseHolder,
    })),
  );
}

/** Walks the queue by one seek a step, so that what was found may be leased before the next one is asked for. */
function* restingInOrder(
  pairs: KeyValues,
  tables: Tables,
): Generator<{ address: bigint; untilMs: number; foreign?: true }> {
  let entry = pairs.atOrAfter(tables.resting, tables.resting);
  while (entry !== undefined) {
    const address = valueIn(entry.key);
    const holder = pairs.get(tables.lease(address)) as LeaseHolder | undefined;
    yield { address, untilMs: entry.value as number, ...(holder?.kind === 'foreign' ? { foreign: true } : {}) };
    // No key lies between this one and itself with the lowest character added.
    entry = pairs.atOrAfter(tables.resting, `${entry.key}!`);
  }
}

/** The leases as IPAM looks at them. */
export function leasesFor(pairs: KeyValues, networkId: string, family: Family): Leases {
  const tables = leaseTables(networkId, family);
  return {
    takenRunAt: (address) => heldRunAt(pairs, tables, address),
    get last() {
      const last = pairs.get(tables.last) as string | undefined;
      return last === undefined ? undefined : BigInt(`0x${last}`);
    },
    quarantined: () => restingInOrder(pairs, tables),
  };
}
