/**
 * What tsnet asks of the store that the hosts of a cluster share (implemented in `src/store/cluster/`): a small key-value interface
 * that etcd and ZooKeeper can both keep.
 *
 * Keys are "/"-separated paths of names without a leading "/", values are JSON text of at most 64 kB. A prefix is one directory,
 * "ep/NETWORK/": its keys are the ones directly in it. There is no key with a life of its own, no history and no comparing of ranges.
 */

/** When a key was last written: opaque text, equal if and only if nobody wrote it in between. */
export type Revision = string;

export interface StoredItem {
  readonly key: string;
  readonly value: string;
  readonly revision: Revision;
}

/** A consistent look at one directory, and where a watch of it goes on from. */
export interface StoreSnapshot {
  readonly items: readonly StoredItem[];
  readonly token: string;
}

export type StoreEvent =
  { readonly kind: 'put'; readonly item: StoredItem } | { readonly kind: 'deleted'; readonly key: string };

export interface StoreExpectation {
  readonly key: string;
  /** Absent: the key must not be there. */
  readonly revision?: Revision;
}

/** To delete what is not there is no error; each key at most once a transaction. */
export type StoreOperation =
  /** `session`: the key goes when that session does. */
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly session?: StoreSession }
  | { readonly kind: 'delete'; readonly key: string };

/** All or nothing; at most {@link MAX_OPERATIONS} operations, and as many expectations. */
export interface StoreTransaction {
  readonly expect: readonly StoreExpectation[];
  readonly operations: readonly StoreOperation[];
}

export const MAX_OPERATIONS = 64;

/** Bytes of UTF-8. */
export const LARGEST_VALUE = 64 << 10;

/** Where it failed, nothing was written. */
export type TransactionAnswer = { readonly ok: true; readonly token: string } | { readonly ok: false };

export interface WatchHandlers {
  /** In order; changes of one key between two batches may be told as one. `token` is where a later watch may go on from. */
  readonly events: (events: readonly StoreEvent[], token: string) => void;
  /** The whole directory again, when the way from event to event was lost. */
  readonly reset: (snapshot: StoreSnapshot) => void;
  /** What was told may be old by so many milliseconds: the store is out of reach. Called again while it lasts. */
  readonly stale: (milliseconds: number) => void;
  /** In touch, and up to date: told once at the beginning, and after each time that was stale. */
  readonly live: () => void;
}

export interface StoreWatch {
  close(): void;
}

/** Shows that this host is alive: keys put with it vanish when it is not kept alive for its time. */
export interface StoreSession {
  readonly id: string;
  /**
   * Milliseconds of the monotonic clock (`performance.now()`) until which the store certainly keeps it: when the last sign of life
   * that was answered was given + time to live.
   */
  deadline(): number;
  /** Settles when the session is over without `close`: its deadline passed, or the store said so. */
  readonly lost: Promise<void>;
  /** Ends it: its keys go now. */
  close(): Promise<void>;
}

export interface StoreStatus {
  readonly kind: 'etcd' | 'zookeeper' | 'memory';
  /** The server that answered last. */
  readonly endpoint?: string;
  readonly reachable: boolean;
  /** Why not, in the words of the store. */
  readonly reason?: string;
}

/**
 * Every call rejects with a TsnetError: TIMEOUT or RUNTIME where the store cannot be asked (within `timeoutMs` of its opening, 2 s
 * unless told), PERMISSION where it refuses us.
 */
export interface ClusterStore {
  get(key: string): Promise<StoredItem | undefined>;
  list(prefix: string): Promise<StoreSnapshot>;
  /** Where it rejects with TIMEOUT or RUNTIME it may have been done all the same: look before you do it again. */
  transact(transaction: StoreTransaction): Promise<TransactionAnswer>;
  /** Tells what happens in a directory after `token`, for as long as it is not closed: it reconnects by itself. */
  watch(prefix: string, token: string, handlers: WatchHandlers): StoreWatch;
  /** @param ttlMs Time to live, milliseconds. */
  openSession(ttlMs: number): Promise<StoreSession>;
  status(): StoreStatus;
  /** Sessions that were not closed run out by themselves, so that a daemon that starts anew is not dead for the others meanwhile. */
  close(): Promise<void>;
}
