/**
 * One LMDB environment: a sorted map that any number of processes read and one at a time writes.
 *
 * Readers never wait and never block: they see the state of the last commit. Writers are serialised by a robust mutex in
 * shared memory, which the kernel passes on when its owner is killed; what the dead one had not committed never was.
 * LMDB is told the truth about where we are: `overlappingSync` off (a commit is on disk when it returns, unless the
 * environment is volatile), and a fresh read transaction whenever a view is made, because lmdb-js otherwise keeps one
 * snapshot for a whole turn of the event loop.
 *
 * Two faults of LMDB 0.9.90 (the one in lmdb-js 3) are kept out of the way here and in `ledger.ts`, a third in `room.ts`:
 * - Every open sets the shared number of the last transaction to what it read a moment before (mdb_env_open2), so that the
 *   next writer would write over a commit in between. Whoever opens holds the gate of `ledger.ts`, as whoever commits does.
 * - A process that closes an environment as its last user destroys the mutexes in it (mdb_env_close_active), while the next
 *   one already waits to use them, and then cannot. So nothing is ever closed but by the kernel at the end of the process;
 *   the next one to open finds the dead reader's slot and frees it.
 */
import { statSync } from 'node:fs';
import { ABORT, open, type RootDatabase } from 'lmdb';
import { prepareFiles } from './environment-files.ts';
import { endOf, type Entry, type KeyValues } from './key-values.ts';
import { ledgerError } from './ledger-error.ts';
import { makeRoom } from './room.ts';

export interface Environment {
  readonly pairs: KeyValues;
  /**
   * Runs `work` as the only writer of this environment on the host. A throw aborts and comes back as it is; so does
   * `abort`, after which nothing was written.
   */
  transact<T>(work: () => T, end: 'commit' | 'abort'): T;
  /** Forgets the snapshot: the next read sees the latest commit. */
  refresh(): void;
}

/** Address space set aside, not disk; LMDB files grow as they fill. */
const MAP_BYTES = 4 * 2 ** 30;
/** Processes that may read at the same time. */
const MOST_READERS = 2048;

interface Opened {
  readonly environment: Environment;
  /** Device and inode of the lock file. */
  readonly identity: string;
}

/** What this process has open. LMDB forbids to open an environment twice in a process (lmdb.h, Caveats). */
const opened = new Map<string, Opened>();

function identityOf({ dev, ino }: { readonly dev: number; readonly ino: number }): string {
  return `${dev}:${ino}`;
}

/**
 * When the event loop runs dry Node cleans up, and that closes LMDB; `process.exit` does not. So a process that is about to end
 * by itself is ended, after all its other listeners of `exit` and with the same status.
 */
function endWithoutClosing(): void {
  process.once('beforeExit', () => {
    process.once('exit', () => {
      process.exit();
    });
  });
}

/**
 * Opens the environment in a directory, which is made if it is not there. lmdb-js frees the slots of dead readers on the way.
 *
 * @param persistence `durable`: a commit survives a power cut. `volatile`: it survives the process.
 * @throws TsnetError LEDGER or PERMISSION
 */
export function openEnvironment(directory: string, persistence: 'durable' | 'volatile'): Environment {
  try {
    prepareFiles(directory, MOST_READERS);
    const identity = identityOf(statSync(`${directory}/lock.mdb`));
    const known = opened.get(directory);
    if (known?.identity === identity) return known.environment;
    const environment = environmentOf(openDatabase(directory, persistence), directory);
    if (opened.size === 0) endWithoutClosing();
    opened.set(directory, { environment, identity });
    return environment;
  } catch (error) {
    throw ledgerError('open', directory, error);
  }
}

function openDatabase(directory: string, persistence: 'durable' | 'volatile'): RootDatabase<unknown, string> {
  return open<unknown, string>({
    path: directory,
    encoding: 'json',
    noSubdir: false,
    mapSize: MAP_BYTES,
    maxReaders: MOST_READERS,
    noSync: persistence === 'volatile',
    overlappingSync: false,
    ...{ permissionsMode: 0o600 },
  });
}

function environmentOf(database: RootDatabase<unknown, string>, directory: string): Environment {
  return {
    pairs: keyValues(database, directory),
    transact: (work, end) => transact(database, directory, work, end),
    refresh: () => {
      database.resetReadTxn();
    },
  };
}

function transact<T>(
  database: RootDatabase<unknown, string>,
  directory: string,
  work: () => T,
  end: 'commit' | 'abort',
): T {
  let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
  try {
    database.transactionSync(() => {
      try {
        if (end === 'commit') roomFor(database, directory);
        outcome = { value: work() };
      } catch (error) {
        outcome = { error };
      }
      return 'error' in outcome || end === 'abort' ? ABORT : undefined;
    });
  } catch (error) {
    // What `work` threw comes first: the database then failed because of it, or for the same reason.
    if (outcome === undefined || !('error' in outcome)) throw ledgerError('write', directory, error);
  }
  if (outcome === undefined) throw ledgerError('write', directory, 'the transaction did not run');
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

/** @throws TsnetError LEDGER when the disk is full */
function roomFor(database: RootDatabase<unknown, string>, directory: string): void {
  try {
    makeRoom(database, directory);
  } catch (error) {
    throw ledgerError('write', directory, error);
  }
}

function keyValues(database: RootDatabase<unknown, string>, directory: string): KeyValues {
  const attempt = <T>(act: 'read' | 'write', work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw ledgerError(act, directory, error);
    }
  };
  const first = (range: Iterable<Entry>): Entry | undefined => {
    for (const entry of range) return entry;
    return undefined;
  };
  return {
    get: (key) => attempt('read', () => database.get(key)),
    put: (key, value) => {
      attempt('write', () => {
        database.putSync(key, value);
      });
    },
    remove: (key) => {
      attempt('write', () => {
        database.removeSync(key);
      });
    },
    atOrBefore: (prefix, key) =>
      attempt('read', () => first(database.getRange({ start: key, end: prefix, reverse: true, limit: 1 }))),
    atOrAfter: (prefix, key) =>
      attempt('read', () => first(database.getRange({ start: key, end: endOf(prefix), limit: 1 }))),
    under: (prefix) => attempt('read', () => [...database.getRange({ start: prefix, end: endOf(prefix) })]),
  };
}
