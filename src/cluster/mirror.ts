/**
 * One directory of the store, kept in memory: listed once, then told of every change. After a restart it goes on from where the
 * process before it stopped, without a list.
 */
import type { ClusterStore, StoredItem, StoreEvent, StoreSnapshot, StoreWatch } from '../model/cluster-store.ts';
import type { ClusterClock } from './clock.ts';

/** One key before and after; absent: it was not there, it is gone. */
export interface Change {
  readonly key: string;
  readonly before?: StoredItem;
  readonly after?: StoredItem;
}

export interface MirrorOptions {
  readonly store: Pick<ClusterStore, 'list' | 'watch'>;
  /** "host/" */
  readonly prefix: string;
  /** What was known before, and where to go on from. */
  readonly known?: StoreSnapshot;
  readonly clock: ClusterClock;
  /** Called after the items are what they are now, in order, with where a later watch may go on from. */
  readonly onChanges: (changes: readonly Change[], token: string) => void;
  /** False: what is known may be old. */
  readonly onLive?: (isLive: boolean) => void;
  /** Why the first list does not succeed; it is tried again. */
  readonly onTrouble?: (error: unknown) => void;
}

export interface Mirror {
  items(): ReadonlyMap<string, StoredItem>;
  item(key: string): StoredItem | undefined;
  /** Another number whenever an item is, for who keeps what he found. */
  generation(): number;
  /** Resolves when the directory is known; at once where it was known before. */
  readonly listed: Promise<void>;
  /** Whether the directory was ever listed, by this process or the one before. */
  isKnown(): boolean;
  isLive(): boolean;
  /** How old what is known may be, milliseconds. */
  lagMs(): number;
  /** What this host has written itself a moment ago, and will be told of. */
  expect(item: StoredItem): void;
  close(): void;
}

const FIRST_RETRY_MS = 300;
const LONGEST_RETRY_MS = 5000;

export function openMirror(options: MirrorOptions): Mirror {
  const { store, prefix, known, clock, onChanges, onLive, onTrouble } = options;
  const items = new Map<string, StoredItem>((known?.items ?? []).map((item) => [item.key, item]));
  let watch: StoreWatch | undefined;
  let generation = 0;
  let isClosed = false;
  let callOff: () => void = () => undefined;
  /** Since when the store has been out of reach; undefined while it is in reach. */
  let silentSince: number | undefined = clock.now();

  const live = (isLive: boolean): void => {
    const wasLive = silentSince === undefined;
    if (isLive === wasLive) return;
    silentSince = isLive ? undefined : clock.now();
    onLive?.(isLive);
  };

  const apply = (events: readonly StoreEvent[]): Change[] =>
    events.flatMap((event): Change[] => {
      generation += 1;
      const key = event.kind === 'put' ? event.item.key : event.key;
      const before = items.get(key);
      const had = before === undefined ? {} : { before };
      if (event.kind === 'deleted') {
        items.delete(key);
        return before === undefined ? [] : [{ key, ...had }];
      }
      items.set(key, event.item);
      return before?.value === event.item.value ? [] : [{ key, ...had, after: event.item }];
    });

  /** The whole directory, as what changed. */
  const replace = (snapshot: StoreSnapshot): Change[] => {
    const now = new Set(snapshot.items.map(({ key }) => key));
    const gone = [...items.keys()].filter((key) => !now.has(key));
    return apply([
      ...gone.map((key) => ({ kind: 'deleted', key }) as const),
      ...snapshot.items.map((item) => ({ kind: 'put', item }) as const),
    ]);
  };

  const follow = (token: string): void => {
    watch = store.watch(prefix, token, {
      events: (events, next) => {
        if (!isClosed) onChanges(apply(events), next);
      },
      reset: (snapshot) => {
        if (!isClosed) onChanges(replace(snapshot), snapshot.token);
      },
      stale: () => {
        live(false);
      },
      live: () => {
        live(true);
      },
    });
  };

  const list = async (retryMs: number): Promise<void> => {
    try {
      const snapshot = await store.list(prefix);
      if (isClosed) return;
      const changes = replace(snapshot);
      live(true);
      onChanges(changes, snapshot.token);
      follow(snapshot.token);
    } catch (error) {
      if (isClosed) return;
      onTrouble?.(error);
      await new Promise<void>((resolve) => {
        callOff = clock.after(retryMs, resolve);
      });
      return list(Math.min(retryMs * 2, LONGEST_RETRY_MS));
    }
  };

  const listed = known === undefined ? list(FIRST_RETRY_MS) : Promise.resolve();
  if (known !== undefined) follow(known.token);
  return {
    items: () => items,
    item: (key) => items.get(key),
    generation: () => generation,
    listed,
    isKnown: () => watch !== undefined,
    isLive: () => silentSince === undefined,
    lagMs: () => (silentSince === undefined ? 0 : clock.now() - silentSince),
    expect: (item) => {
      // Told already: then its revision is known too.
      if (items.get(item.key)?.value === item.value) return;
      generation += 1;
      items.set(item.key, item);
    },
    close: () => {
      isClosed = true;
      callOff();
      watch?.close();
    },
  };
}
