/**
 * What a failure of the database means for the person in front of it.
 */
import { statfsSync } from 'node:fs';
import { constants } from 'node:os';
import { TsnetError } from '../model/error.ts';

/** lmdb.h */
export const MDB = {
  PAGE_NOTFOUND: -30797,
  CORRUPTED: -30796,
  PANIC: -30795,
  VERSION_MISMATCH: -30794,
  INVALID: -30793,
  MAP_FULL: -30792,
  READERS_FULL: -30790,
} as const;

/** A fault that was found before LMDB could find it. */
export class DatabaseFault extends Error {
  override readonly name = 'DatabaseFault';
  /** One of LMDB's own codes. */
  readonly code: number;

  constructor(code: number) {
    super(code === MDB.VERSION_MISMATCH ? 'LMDB file of another version' : 'not an LMDB file');
    this.code = code;
  }
}

/** Less than a few pages free: a short write, which LMDB reports as an input/output error, came from that. */
const FULL_BELOW_BYTES = 64 * 1024;

function isFull(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize < FULL_BELOW_BYTES;
  } catch {
    return false;
  }
}

/** errno, or LMDB's own code. Node's errors say theirs as a name. */
function codeOf(cause: unknown): number | undefined {
  if (!(cause instanceof Error) || !('code' in cause)) return undefined;
  const { code } = cause;
  if (typeof code === 'number') return code;
  return Object.entries(constants.errno).find(([name]) => name === code)?.[1];
}

const FULL = 'the disk is full; free some space and try again, nothing was changed';
const DAMAGED = 'it is damaged; move it away and create the networks again, containers keep running meanwhile';

/** Asked when something failed: the numbers come from node:os, which a start that goes well does not load. */
function knownAdvice(code: number): string | undefined {
  const { EROFS, ENOSPC, EDQUOT, EIO, ENOMEM } = constants.errno;
  switch (code) {
    case ENOSPC:
    case EDQUOT:
    case MDB.MAP_FULL:
      return FULL;
    case EROFS:
      return 'the file system is read-only; remount it, or set data-root and exec-root elsewhere';
    case ENOMEM:
      return 'out of memory';
    case EIO:
    case MDB.PANIC:
      return 'the disk could not be written; see dmesg';
    case MDB.CORRUPTED:
    case MDB.INVALID:
    case MDB.PAGE_NOTFOUND:
      return DAMAGED;
    case MDB.VERSION_MISMATCH:
      return 'another version of LMDB wrote it; use the tsnet that did';
    case MDB.READERS_FULL:
      return 'too many processes are reading it';
    default:
      return undefined;
  }
}

function advice(code: number | undefined, path: string): string {
  const known = code === undefined ? undefined : knownAdvice(code);
  // LMDB has no word for a write that the disk took only half of.
  if ((known === undefined || code === constants.errno.EIO || code === MDB.PANIC) && isFull(path)) return FULL;
  return known ?? 'unexpected answer of the database';
}

/**
 * The error that a person sees.
 *
 * @param act what was attempted: "open", "read", "write"
 * @param path directory of the database
 */
export function ledgerError(act: string, path: string, cause: unknown): TsnetError {
  if (cause instanceof TsnetError) return cause;
  const code = codeOf(cause);
  const { EACCES, EPERM } = constants.errno;
  if (code === EACCES || code === EPERM) {
    return new TsnetError(
      'PERMISSION',
      `${act} the ledger in ${path}: permission denied; run tsnet as root, or through its daemon`,
      { cause },
    );
  }
  const detail = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause);
  return new TsnetError('LEDGER', `${act} the ledger in ${path}: ${advice(code, path)} (${detail ?? ''})`, { cause });
}
