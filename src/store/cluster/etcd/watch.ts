/** One directory that is watched: how far it was seen, and what its reader was told. */
import type { StoreEvent, StoreSnapshot, WatchHandlers } from '../../../model/cluster-store.ts';
import { isDirectlyIn } from '../check-request.ts';
import { DELETE } from './messages.ts';
import type { WatchAnswer, WatchRequest } from './watches.ts';

const STALE_EVERY_MS = 1_000;

/** etcd sends what a watch missed in rounds 100 ms apart (syncWatchersLoop): after three without anything, nothing was missed. */
const CATCH_UP_MS = 300;

export class EtcdWatch {
  readonly prefix: string;
  readonly #root: string;
  readonly #handlers: WatchHandlers;
  /** The first revision that was not seen. */
  #next: number;
  /** Whether the last that it saw was a moment ago. */
  #isFresh: boolean;
  /** Revision of the store when this stream began, until that is caught up with. */
  #behind: number | undefined;
  #lostAt: number | undefined;
  #isLive = false;
  #isClosed = false;
  #staleTimer: NodeJS.Timeout | undefined;
  #catchUpTimer: NodeJS.Timeout | undefined;

  constructor(root: string, { prefix, token, since, handlers }: WatchRequest) {
    this.prefix = prefix;
    this.#root = root;
    this.#handlers = handlers;
    this.#next = Number(token) + 1;
    this.#isFresh = since === 'listing';
  }

  /**
   * What is watched: a directory ends with "/", and "0" is the character after it.
   *
   * A watch that goes on after a pause begins at the last revision that it saw, not after it. etcd takes a watch that begins at the
   * very revision up to which it has forgotten, though it has dropped the deletions made there; begun one earlier it is refused, and
   * the directory is listed. Such a beginning costs up to 100 ms, so a watch that begins with a listing goes without.
   */
  range(): { readonly key: string; readonly range_end: string; readonly start_revision: number } {
    const key = this.#root + this.prefix;
    const start_revision = this.#isFresh ? this.#next : Math.max(1, this.#next - 1);
    return { key, range_end: `${key.slice(0, -1)}0`, start_revision };
  }

  hear({ header, created, events }: WatchAnswer): void {
    if (this.#isClosed) return;
    const revision = header?.revision ?? 0;
    if (created) {
      this.#begin(revision);
      return;
    }
    // Without events it is a sign of life: everything up to the header's revision was seen.
    const seen = events.length === 0 ? revision : Math.max(...events.map(({ kv }) => kv?.mod_revision ?? 0));
    // What was seen is told again where a watch goes on.
    const fresh = events.filter(({ kv }) => (kv?.mod_revision ?? 0) >= this.#next);
    this.#next = Math.max(this.#next, seen + 1);
    const told = fresh.flatMap(({ type, kv }): StoreEvent[] => {
      const key = kv?.key.slice(this.#root.length) ?? '';
      if (kv === undefined || !isDirectlyIn(key, this.prefix)) return [];
      if (type === DELETE) return [{ kind: 'deleted', key }];
      return [{ kind: 'put', item: { key, value: kv.value, revision: String(kv.mod_revision) } }];
    });
    if (told.length > 0 || events.length === 0) this.#handlers.events(told, String(this.#next - 1));
    if (this.#behind !== undefined && this.#next > this.#behind) this.#live();
  }

  reset(snapshot: StoreSnapshot): void {
    if (this.#isClosed) return;
    this.#next = Number(snapshot.token) + 1;
    this.#isFresh = true;
    this.#handlers.reset(snapshot);
  }

  /** The stream is gone. */
  lose(): void {
    if (this.#isClosed) return;
    this.#isFresh = false;
    clearTimeout(this.#catchUpTimer);
    this.#behind = undefined;
    this.#isLive = false;
    if (this.#lostAt !== undefined) return;
    const lostAt = performance.now();
    this.#lostAt = lostAt;
    this.#staleTimer = setInterval(() => {
      this.#handlers.stale(performance.now() - lostAt);
    }, STALE_EVERY_MS);
    this.#handlers.stale(0);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#staleTimer);
    clearTimeout(this.#catchUpTimer);
  }

  #begin(revision: number): void {
    if (revision < this.#next) {
      this.#live();
      return;
    }
    this.#behind = revision;
    this.#catchUpTimer = setTimeout(() => {
      this.#live();
    }, CATCH_UP_MS);
  }

  #live(): void {
    clearTimeout(this.#catchUpTimer);
    clearInterval(this.#staleTimer);
    this.#behind = undefined;
    this.#lostAt = undefined;
    if (this.#isLive || this.#isClosed) return;
    this.#isLive = true;
    this.#handlers.live();
  }
}
