/** A watch of a {@link MemoryCluster}: tells later than it is told, in order, and everything again when asked to. */
import type { StoreEvent, WatchHandlers } from '../../src/model/cluster-store.ts';
import type { MemoryCluster } from './memory-cluster.ts';

interface Wanted {
  readonly prefix: string;
  readonly token: string;
  readonly handlers: WatchHandlers;
}

/** How often a watch that is out of touch says so. */
const STALE_EVERY_MS = 1000;

export class MemoryWatch {
  readonly #cluster: MemoryCluster;
  readonly #prefix: string;
  readonly #handlers: WatchHandlers;
  #token: string;
  #lastBatch: readonly StoreEvent[] = [];
  #cutAt: number | undefined;
  #staleTimer: NodeJS.Timeout | undefined;
  #isLive = false;
  #isAwake = false;
  #isClosed = false;

  constructor(cluster: MemoryCluster, { prefix, token, handlers }: Wanted) {
    this.#cluster = cluster;
    this.#prefix = prefix;
    this.#token = token;
    this.#handlers = handlers;
  }

  changed(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    queueMicrotask(() => {
      this.#isAwake = false;
      this.#tell();
    });
  }

  cut(): void {
    if (this.#isClosed) return;
    this.#cutAt = performance.now();
    this.#isLive = false;
    const tell = (): void => {
      this.#handlers.stale(performance.now() - (this.#cutAt ?? 0));
    };
    this.#staleTimer = setInterval(tell, STALE_EVERY_MS).unref();
    queueMicrotask(() => {
      if (this.#cutAt !== undefined && !this.#isClosed) tell();
    });
  }

  heal(): void {
    clearInterval(this.#staleTimer);
    this.#cutAt = undefined;
    this.changed();
  }

  reset(): void {
    if (this.#isClosed || this.#cutAt !== undefined) return;
    const snapshot = this.#cluster.list(this.#prefix);
    this.#token = snapshot.token;
    this.#handlers.reset(snapshot);
  }

  repeat(): void {
    if (this.#isClosed || this.#lastBatch.length === 0) return;
    this.#handlers.events(this.#lastBatch, this.#token);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#staleTimer);
  }

  /** A method, since a handler may have closed it meanwhile. */
  isClosed(): boolean {
    return this.#isClosed;
  }

  #tell(): void {
    if (this.#isClosed || this.#cutAt !== undefined) return;
    const events = this.#cluster.since(this.#prefix, this.#token);
    if (events === undefined) this.reset();
    else if (events.length > 0) {
      this.#token = String(this.#cluster.revision);
      this.#lastBatch = events;
      this.#handlers.events(events, this.#token);
    }
    if (this.#isLive || this.isClosed()) return;
    this.#isLive = true;
    this.#handlers.live();
  }
}
