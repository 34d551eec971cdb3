/**
 * Room on the disk for what LMDB is about to write.
 *
 * LMDB 0.9.90 (the one in lmdb-js 3) corrupts the memory of the process when the disk takes nothing of a write: mdb_page_flush prints
 * its report of some 110 characters into 100 bytes. So it is never let near a full disk: while the disk has little room left, the
 * file has pages at its end that are nobody's yet, which the next commits are written to.
 */
import { closeSync, fstatSync, openSync, statfsSync, writeSync } from 'node:fs';
import type { RootDatabase } from 'lmdb';

const PAGE_BYTES = 4096;
/** With so many bytes free nothing is reserved: no usual change writes as much. */
const PLENTY_BYTES = 2 ** 20;
/** What is kept at the end of the file, and with how much of it changes are still made. */
const RESERVE_BYTES = 64 * PAGE_BYTES;
const LEAST_BYTES = 32 * PAGE_BYTES;

/**
 * Called by the only writer, before it changes something: nobody else lengthens the file then.
 * @throws Error ENOSPC where the disk has no room for a change
 */
export function makeRoom(database: RootDatabase<unknown, string>, directory: string): void {
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize >= PLENTY_BYTES) return;
  const { lastPageNumber } = database.getStats() as { readonly lastPageNumber: number };
  const used = (lastPageNumber + 1) * PAGE_BYTES;
  const file = openSync(`${directory}/data.mdb`, 'r+');
  try {
    try {
      lengthen(file, used + RESERVE_BYTES);
    } catch (error) {
      if (fstatSync(file).size < used + LEAST_BYTES) throw error;
    }
  } finally {
    closeSync(file);
  }
}

/** In pages that the disk has given, not in holes. @throws Error ENOSPC, as much as there was room for being written */
function lengthen(file: number, bytes: number): void {
  for (let size = fstatSync(file).size; size < bytes;)
    size += writeSync(file, new Uint8Array(bytes - size), 0, null, size);
}
