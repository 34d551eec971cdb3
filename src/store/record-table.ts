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
  const id = Buffer.byteLength(indexKey) > LONGEST_KEY ? undefined : (pairs.get(indexKey) as string | undefined);
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

/** @throws TsnetError CONFLICT when another record has what must be unique */
export function putRecord<R extends { readonly id: string }>(pairs: KeyValues, table: RecordTable<R>, record: R): void {
  for (const { key, what } of table.unique(record)) {
    const holder = pairs.get(key) as string | undefined;
    if (holder !== undefined && holder !== record.id) {
      throw new TsnetError('CONFLICT', `${table.name} ${what} is taken by ${table.name} ${holder.slice(0, 12)}`);
    }
  }
  removeIndexes(pairs, table, record.id, keysOf(table, record));
  for (const key of keysOf(table, record)) {
    if (pairs.get(key) !== record.id) pairs.put(key, record.id);
  }
  pairs.put(recordKey(table, record.id), record);
}

export function deleteRecord<R extends { readonly id: string }>(
  pairs: KeyValues,
  table: RecordTable<R>,
  id: string,
): void {
  removeIndexes(pairs, table, id, []);
  pairs.remove(recordKey(table, id));
}

/** Removes the index keys that the stored record has and the new one has not, unless they lead to another by now. */
function removeIndexes<R extends { readonly id: string }>(
  pairs: KeyValues,
  table: RecordTable<R>,
  id: string,
  kept: readonly string[],
): void {
  for (const key of keysOf(table, getRecord(pairs, table, id))) {
    if (!kept.includes(key) && pairs.get(key) === id) pairs.remove(key);
  }
}
