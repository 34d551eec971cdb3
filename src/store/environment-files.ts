/**
 * What must be true of a directory before LMDB opens it.
 *
 * lmdb-js 2 and 3 crash the process when the native open fails (it frees its context, then uses it), so every reason for
 * which it could fail is looked for here first: missing rights, a read-only or full disk, a file that is no database.
 * A lock file with holes would be another crash: LMDB writes to it through a memory map, and on a full disk the
 * kernel answers that with SIGBUS.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { DatabaseFault, MDB } from './ledger-error.ts';

/** What LMDB's lock file needs: its header, and one cache line a reader. */
function lockFileBytes(mostReaders: number): number {
  return (mostReaders + 4) * 64;
}

/** Two pages of the largest size, and some for the first records. */
const FIRST_BYTES = 256 * 1024;

/** Offsets in a meta page (mdb.c, MDB_page_header and MDB_meta). */
const META_PAGE = { bytes: 168, flags: 0x12, magic: 0x18, version: 0x1c, pageSize: 0x30 } as const;
const P_META = 0x08;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;

/** How long another process may take to write the first two pages of a new database. */
const PATIENCE = { times: 40, ms: 5 } as const;

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** As mkdirSync with `recursive`, which answers ENOENT where a file system is read-only. */
function makeDirectory(directory: string, mode: number): void {
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    if (hasCode(error, 'ENOENT') && path.dirname(directory) !== directory) {
      makeDirectory(path.dirname(directory), 0o755);
      makeDirectory(directory, mode);
    } else if (!hasCode(error, 'EEXIST')) {
      throw error;
    }
  }
}

/** Writes zeros to a file that nobody else knows yet, hands it over, and removes it. */
function withDraft(directory: string, bytes: number, use: (draft: string) => void): void {
  const draft = path.join(directory, `draft.${process.pid}`);
  rmSync(draft, { force: true });
  const file = openSync(draft, 'wx', 0o600);
  try {
    const zeros = Buffer.alloc(bytes);
    for (let written = 0; written < bytes;) written += writeSync(file, zeros, written);
    use(draft);
  } finally {
    closeSync(file);
    rmSync(draft, { force: true });
  }
}

function makeLockFile(directory: string, lockFile: string, mostReaders: number): void {
  withDraft(directory, lockFileBytes(mostReaders), (draft) => {
    try {
      linkSync(draft, lockFile);
    } catch (error) {
      // Another process was first: its file is as good.
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  });
}

/** Why LMDB would refuse the page, as its own error code. */
function faultOf(page: DataView, bytesRead: number): number | undefined {
  if (bytesRead < META_PAGE.bytes) return MDB.INVALID;
  if ((page.getUint16(META_PAGE.flags, true) & P_META) === 0) return MDB.INVALID;
  if (page.getUint32(META_PAGE.magic, true) !== MAGIC) return MDB.INVALID;
  return (page.getUint32(META_PAGE.version, true) & 0xffff) === DATA_VERSION ? undefined : MDB.VERSION_MISMATCH;
}

function dataFault(file: number): number | undefined {
  const page = new DataView(new ArrayBuffer(META_PAGE.bytes));
  const bytesRead = readSync(file, page, 0, page.byteLength, 0);
  if (bytesRead === 0) return undefined;
  const first = faultOf(page, bytesRead);
  if (first !== undefined) return first;
  const pageSize = page.getUint32(META_PAGE.pageSize, true);
  return faultOf(page, readSync(file, page, 0, page.byteLength, pageSize));
}

function checkData(dataFile: string): void {
  const file = openSync(dataFile, 'r+');
  try {
    let fault = dataFault(file);
    for (let times = 0; fault !== undefined && times < PATIENCE.times; times++) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PATIENCE.ms);
      fault = dataFault(file);
    }
    if (fault !== undefined) throw new DatabaseFault(fault);
  } finally {
    closeSync(file);
  }
}

/**
 * Makes the directory and what LMDB needs in it, or finds out why that cannot be.
 * @throws Error of node:fs, or DatabaseFault
 */
export function prepareFiles(directory: string, mostReaders: number): void {
  const lockFile = `${directory}/lock.mdb`;
  const dataFile = `${directory}/data.mdb`;
  // Never opened here: closing it would drop the record lock by which LMDB in this process says that it is in use (fcntl(2)),
  // and the next process would set up its mutex afresh.
  if (existsSync(lockFile)) {
    accessSync(lockFile, constants.R_OK | constants.W_OK);
  } else {
    makeDirectory(path.dirname(directory), 0o755);
    makeDirectory(directory, 0o700);
    makeLockFile(directory, lockFile, mostReaders);
  }
  if (existsSync(dataFile)) checkData(dataFile);
  else withDraft(directory, FIRST_BYTES, () => undefined);
}
