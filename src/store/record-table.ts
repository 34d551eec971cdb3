/**
 * A table of records with indexes: what a record is found by changes with it, in the same transaction.
 */
import { TsnetError } from '../model/error.ts';
import type { KeyValues } from './key-values.ts';

export interface RecordTable<R extends { readonly id: string }> {
  readonly name: string;
  /** Keys that lead to the record; their value is its id. */
  readonly indexes: (record: R) => readonly string[];
  /** Keys that no two records may share, with what they stand for in the refusal. */
  readonly unique: (record: R) => readonly { readonly key: string; readonly what: string }[];
}

function recordKey<R extends { readonly id: string }>(table: RecordTable<R>, id: string): string {
  return `${table.name}/${id}`;
}

export function getRecord<R extends { readonly id: string }>(
  pairs: KeyValues,
  table: RecordTable<R>,
  id: string,
): R | undefined {
  return pairs.get(recordKey(table, id)) as R | undefined;
}

export function allRecords<R extends { readonly id: string }>(pairs: KeyValues, table: RecordTable<R>): R[] {
  return pairs.under(`${table.name}/`).map(({ value }) => value as R);
}

/** Longer keys lead nowhere: names end at 255 bytes, and LMDB refuses to look for keys beyond 1,978. */
const LONGEST_KEY = 400;

/** The record that an index key leads to. */
export function recordBy<R extends { readonly id: string }>(
  pairs: KeyValues,
  table: RecordTable<R>,
  indexKey: string,
): R | undefined {
  // A character has three bytes at most (UTF-16 counts those of four twice), so most keys need no counting.
  const isTooLong = indexKey.length * 3 > LONGEST_KEY && Buffer.byteLength(indexKey) > LONGEST_KEY;
  const id = isTooLong ? undefined : (pairs.get(indexKey) as string | undefined);
  return id === undefined ? undefined : getRecord(pairs, table, id);
}

/** The records that the index keys under a prefix lead to. */
export function recordsUnder<R extends { readonly id: string }>(
  pairs: KeyValues,
  table: RecordTable<R>,
  prefix: string,
): R[] {
  return pairs.under(prefix).flatMap(({ value }) => getRecord(pairs, table, value as string) ?? []);
}

function keysOf<R extends { readonly id: string }>(table: RecordTable<R>, record: R | undefined): string[] {
  return record === undefined ? [] : [...table.indexes(record), ...table.unique(record).map(({ key }) => key)];
}

/**
 * Writes the record and the index keys that it newly has; those that it had before lead to it, or to a later record, already.
 * @throws TsnetError CONFLICT when another record has what must be unique
 */
export function putRecord<R extends { readonly id: string }>(pairs: KeyValues, table: RecordTable<R>, record: R): void {
  const { id } = record;
  const had = keysOf(table, getRecord(pairs, table, id));
  for (const { key, what } of table.unique(record)) {
    const holder = had.includes(key) ? id : (pairs.get(key) as string | undefined);
    if (holder !== undefined && holder !== id) {
      throw new TsnetError('CONFLICT', `${table.name} ${what} is taken by ${table.name} ${holder.slice(0, 12)}`);
    }
  }
  const has = keysOf(table, record);
  removeIndexes(
    pairs,
    id,
    had.filter((key) => !has.includes(key)),
  );
  for (const key of has) {
    if (!had.includes(key)) pairs.put(key, id);
  }
  pairs.put(recordKey(table, id), record);
}

export function deleteRecord<R extends { readonly id: string }>(
  pairs: KeyValues,
  table: RecordTable<R>,
  id: string,
): void {
  removeIndexes(pairs, id, keysOf(table, getRecord(pairs, table, id)));
  pairs.remove(recordKey(table, id));
}

/** Removes index keys, unless they lead to another record by now. */
function removeIndexes(pairs: KeyValues, id: string, keys: readonly string[]): void {
  for (const key of keys) {
    if (pairs.get(key) === id) pairs.remove(key);
  }
}
