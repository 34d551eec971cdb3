/**
 * One LMDB environment: a sorted map that any number of processes read and one at a time writes.
 *
 * Readers never wait and never block: they see the state of the last commit. Writers are serialised by a robust mutex in
 * shared memory, which the kernel passes on when its owner is killed; what the dead one had not committed never was.
 * LMDB is told the truth about where we are: `overlappingSync` off (a commit is on disk when it returns, unless the
 * environment is volatile), and a fresh read transaction whenever a view is made, because lmdb-js otherwise keeps one
 * snapshot for a whole turn of the event loop.
 *
 * Opening an environment must not happen while another process commits to it: LMDB 0.9.90 sets the shared number of the last
 * transaction at every open (mdb_env_open2), to what it read a moment before, and the next writer would then write over the
 * commit in between. Whoever opens holds the gate (`ledger.ts`).
 */
import { ABORT, open, type RootDatabase } from 'lmdb';
import { prepareFiles } from './environment-files.ts';
import { endOf, type Entry, type KeyValues } from './key-values.ts';
import { ledgerError } from './ledger-error.ts';

export interface Environment {
  readonly pairs: KeyValues;
  /**
   * Runs `work` as the only writer of this environment on the host. A throw aborts and comes back as it is; so does
   * `abort`, after which nothing was written.
   */
  transact<T>(work: () => T, end: 'commit' | 'abort'): T;
  /** Forgets the snapshot: the next read sees the latest commit. */
  refresh(): void;
  close(): Promise<void>;
}

/** Address space set aside, not disk; LMDB files grow as they fill. */
const MAP_BYTES = 4 * 2 ** 30;
/** Processes that may read at the same time. */
const MOST_READERS = 2048;

/**
 * Opens the environment in a directory, which is made if it is not there. lmdb-js frees the slots of dead readers on the way.
 *
 * @param persistence `durable`: a commit survives a power cut. `volatile`: it survives the process.
 * @throws TsnetError LEDGER or PERMISSION
 */
export function openEnvironment(directory: string, persistence: 'durable' | 'volatile'): Environment {
  let database: RootDatabase<unknown, string>;
  try {
    prepareFiles(directory, MOST_READERS);
    database = open<unknown, string>({
      path: directory,
      encoding: 'json',
      noSubdir: false,
      mapSize: MAP_BYTES,
      maxReaders: MOST_READERS,
      noSync: persistence === 'volatile',
      overlappingSync: false,
      ...{ permissionsMode: 0o600 },
    });
  } catch (error) {
    throw ledgerError('open', directory, error);
  }
  return {
    pairs: keyValues(database, directory),
    transact: (work, end) => transact(database, directory, work, end),
    refresh: () => {
      database.resetReadTxn();
    },
    close: () => database.close(),
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
