/**
 * A directory that is watched. ZooKeeper's watches fire once and say little: that the names in a directory changed, or one value. So the
 * names are read again and compared, values only where they are new or were told to have changed; after a lost connection, everything.
 */
import type { StoredItem, StoreEvent, StoreWatch, WatchHandlers } from '../../../model/cluster-store.ts';
import { retryDelayMs } from '../back-off.ts';
import type { ZooConnection } from './connection.ts';
import type { ZooLink } from './link.ts';
import { childrenOf, readNode, statOf } from './nodes.ts';

const STALE_EVERY_MS = 1_000;

export interface DirectoryWatchRequest {
  readonly root: string;
  /** "ep/NETWORK/" */
  readonly prefix: string;
  /** Revisions that the reader knows, by key; absent: we do not know what it knows. */
  readonly known?: ReadonlyMap<string, string>;
  readonly handlers: WatchHandlers;
  /** A token for what the reader knows now. */
  readonly tokenFor: () => string;
}

export function watchDirectory(link: ZooLink, request: DirectoryWatchRequest): StoreWatch {
  const watch = new DirectoryWatch(link, request);
  void watch.run();
  return watch;
}

class DirectoryWatch implements StoreWatch {
  readonly #link: ZooLink;
  readonly #request: DirectoryWatchRequest;
  /** Revision of each key, as the reader was told. */
  readonly #shadow: Map<string, string>;
  #mustReset: boolean;
  #staleTimer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** Names to read again; `names` itself, and all values. */
  #dirty = new Set<string>();
  #areNamesDirty = true;
  #wake: () => void = () => undefined;

  constructor(link: ZooLink, request: DirectoryWatchRequest) {
    this.#link = link;
    this.#request = request;
    this.#shadow = new Map(request.known);
    this.#mustReset = request.known === undefined;
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#staleTimer);
    this.#wake();
  }

  async run(): Promise<void> {
    for (let failures = 0; !this.isClosed();) {
      try {
        const connection = await this.#link.connect();
        await this.#follow(connection, () => {
          failures = 0;
        });
      } catch {
        // The link's status says why.
      }
      if (this.#isClosed) return;
      this.#lose();
      failures += 1;
      await this.#sleep(retryDelayMs(failures));
    }
  }

  /** A method, since it changes while one waits. */
  isClosed(): boolean {
    return this.#isClosed;
  }

  /** Until the connection is down. */
  async #follow(connection: ZooConnection, inTouch: () => void): Promise<void> {
    // Values may have changed unheard, all of them.
    this.#areNamesDirty = true;
    for (const key of this.#shadow.keys()) this.#dirty.add(key);
    const down = (): void => {
      this.#wake();
    };
    connection.down.addEventListener('abort', down);
    try {
      for (let isFirst = true; !this.isClosed() && !connection.down.aborted; isFirst = false) {
        await this.#catchUp(connection);
        if (isFirst) {
          inTouch();
          this.#live();
        }
        if (!this.#isDirty()) await this.#sleep();
      }
    } finally {
      connection.down.removeEventListener('abort', down);
    }
  }

  #isDirty(): boolean {
    return this.#areNamesDirty || this.#dirty.size > 0;
  }

  async #catchUp(connection: ZooConnection): Promise<void> {
    const { root, prefix, handlers, tokenFor } = this.#request;
    const gone: string[] = [];
    if (this.#areNamesDirty) {
      this.#areNamesDirty = false;
      const names = new Set((await this.#names(connection)).map((name) => prefix + name));
      for (const key of names) if (!this.#shadow.has(key)) this.#dirty.add(key);
      for (const key of this.#shadow.keys()) if (!names.has(key)) gone.push(key);
    }
    const asked = [...this.#dirty].filter((key) => !gone.includes(key));
    this.#dirty = new Set();
    const read = await Promise.all(
      asked.map(async (key) => [key, await readNode(connection, { root, key, watcher: this.#dirtyOf(key) })] as const),
    );
    if (this.isClosed()) return;
    const events: StoreEvent[] = gone.map((key) => ({ kind: 'deleted', key }));
    for (const [key, item] of read) {
      if (item === undefined) {
        if (this.#shadow.has(key)) events.push({ kind: 'deleted', key });
      } else if (this.#shadow.get(key) !== item.revision) events.push({ kind: 'put', item });
    }
    for (const event of events) {
      if (event.kind === 'put') this.#shadow.set(event.item.key, event.item.revision);
      else this.#shadow.delete(event.key);
    }
    if (this.#mustReset) {
      this.#mustReset = false;
      const items = read.map(([, item]) => item).filter((item): item is StoredItem => item !== undefined);
      handlers.reset({ items, token: tokenFor() });
    } else if (events.length > 0) handlers.events(events, tokenFor());
  }

  async #names(connection: ZooConnection): Promise<string[]> {
    const path = this.#request.root + this.#request.prefix.slice(0, -1);
    for (;;) {
      const names = await childrenOf(connection, path, this.#namesChanged);
      if (names !== undefined) return names;
      // Not there yet: told when it is made.
      if ((await statOf(connection, path, this.#namesChanged)) === undefined) return [];
    }
  }

  readonly #namesChanged = (): void => {
    this.#areNamesDirty = true;
    this.#wake();
  };

  /** One function a key: the client tells each of them once, however often it was handed over. */
  readonly #watchers = new Map<string, () => void>();

  #dirtyOf(key: string): () => void {
    const known = this.#watchers.get(key);
    if (known !== undefined) return known;
    const watcher = (): void => {
      this.#watchers.delete(key);
      this.#dirty.add(key);
      this.#wake();
    };
    this.#watchers.set(key, watcher);
    return watcher;
  }

  #sleep(milliseconds?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #lose(): void {
    if (this.#staleTimer !== undefined) return;
    const lostAt = performance.now();
    this.#staleTimer = setInterval(() => {
      this.#request.handlers.stale(performance.now() - lostAt);
    }, STALE_EVERY_MS);
    this.#request.handlers.stale(0);
  }

  #live(): void {
    if (this.isClosed()) return;
    clearInterval(this.#staleTimer);
    this.#staleTimer = undefined;
    this.#request.handlers.live();
  }
}
