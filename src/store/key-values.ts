/**
 * What the ledger needs of a database: sorted text keys, JSON values, seeks.
 *
 * Keys are paths ("endpoint/<id>"), so that a prefix that ends in "/" is a table and `mdb_dump` can be read by a person.
 */

export interface Entry {
  readonly key: string;
  readonly value: unknown;
}

export interface KeyValues {
  get(key: string): unknown;
  /** `value` is JSON: an object, array, string, number or boolean. */
  put(key: string, value: unknown): void;
  /** Nothing happens when it is not there. */
  remove(key: string): void;
  /** The entry with the greatest key up to and including `key`, if it starts with `prefix`. */
  atOrBefore(prefix: string, key: string): Entry | undefined;
  /** The entry with the smallest key from and including `key`, if it starts with `prefix`. */
  atOrAfter(prefix: string, key: string): Entry | undefined;
  /** All entries whose key starts with `prefix`, in order; read at once, so that they may be changed on the way. */
  under(prefix: string): Entry[];
}

/** The first key that is no longer under a prefix: "a/" is followed by "a0", the character after the slash. */
export function endOf(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}

/** Removes everything under a prefix. */
export function removeUnder(pairs: KeyValues, prefix: string): void {
  for (const { key } of pairs.under(prefix)) pairs.remove(key);
}
