/**
 * All watches of a host go over one stream (etcd's work is by stream, not by watch). When it ends, each goes on over the next one from
 * the revision after the last that it saw; when etcd no longer has that (compacted), its directory is listed again.
 */
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { StoreSnapshot, StoreWatch, WatchHandlers } from '../../../model/cluster-store.ts';
import { retryDelayMs } from '../back-off.ts';
import type { EtcdConnection } from './connection.ts';
import type { EtcdLink } from './link.ts';
import { WATCH } from './messages.ts';
import type { Decoded, Given } from './protobuf.ts';
import { EtcdWatch } from './watch.ts';

export type WatchAnswer = Decoded<typeof WATCH.answer>;
type Stream = ClientDuplexStream<Given<typeof WATCH.request>, WatchAnswer>;

export interface WatchRequest {
  /** The directory, without the root. */
  readonly prefix: string;
  readonly token: string;
  /** Whether the token comes from a listing of this moment. */
  readonly since: 'listing' | 'earlier';
  readonly handlers: WatchHandlers;
}

/** What the watches need of the store. */
export interface Directory {
  /** Where our keys begin in etcd. */
  readonly root: string;
  readonly list: (prefix: string) => Promise<StoreSnapshot>;
}

export class EtcdWatches {
  readonly #link: EtcdLink;
  readonly #directory: Directory;
  readonly #watches = new Set<EtcdWatch>();
  /** Those of the stream of now, by the ID that we gave them there. */
  readonly #byId = new Map<number, EtcdWatch>();
  #lastId = 0;
  #stream: Stream | undefined;
  #isRunning = false;
  #isClosed = false;
  #wake: () => void = () => undefined;

  constructor(link: EtcdLink, directory: Directory) {
    this.#link = link;
    this.#directory = directory;
  }

  add(request: WatchRequest): StoreWatch {
    const watch = new EtcdWatch(this.#directory.root, request);
    this.#watches.add(watch);
    if (this.#stream === undefined) void this.#run();
    else this.#create(this.#stream, watch);
    return {
      close: () => {
        this.#remove(watch);
      },
    };
  }

  close(): void {
    this.#isClosed = true;
    for (const watch of this.#watches) this.#remove(watch);
    this.#stream?.cancel();
    this.#wake();
  }

  #remove(watch: EtcdWatch): void {
    watch.close();
    if (!this.#watches.delete(watch)) return;
    const id = this.#idOf(watch);
    if (id !== undefined) {
      this.#byId.delete(id);
      this.#stream?.write({ cancel_request: { watch_id: id } });
    }
  }

  #idOf(watch: EtcdWatch): number | undefined {
    return [...this.#byId].find(([, one]) => one === watch)?.[0];
  }

  /** A stream after the other, for as long as somebody watches. */
  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    let failures = 0;
    while (this.#watches.size > 0 && !this.#isClosed) {
      const wasHeard = await this.#follow().catch(() => false);
      if (this.#watches.size === 0) break;
      for (const watch of this.#watches) watch.lose();
      failures = wasHeard ? 1 : failures + 1;
      await this.#pause(retryDelayMs(failures));
    }
    this.#isRunning = false;
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** One stream to its end; whether anything came over it. */
  async #follow(): Promise<boolean> {
    const connection = await this.#link.connect();
    const stream: Stream = connection.stream(WATCH);
    let wasHeard = false;
    const ended = new Promise<Error | undefined>((resolve) => {
      stream.on('error', resolve);
      stream.on('end', () => {
        resolve(undefined);
      });
    });
    stream.on('data', (answer: WatchAnswer) => {
      wasHeard = true;
      this.#hear(stream, answer);
    });
    this.#byId.clear();
    this.#stream = stream;
    for (const watch of this.#watches) this.#create(stream, watch);
    const error = await ended;
    this.#stream = undefined;
    if (this.#watches.size > 0) this.#giveUp(connection, error);
    return wasHeard;
  }

  #giveUp(connection: EtcdConnection, error: Error | undefined): void {
    this.#link.fail(connection, error ?? new Error('the watch ended'));
  }

  #create(stream: Stream, watch: EtcdWatch): void {
    const id = ++this.#lastId;
    this.#byId.set(id, watch);
    stream.write({ create_request: { ...watch.range(), progress_notify: true, watch_id: id } });
  }

  #hear(stream: Stream, answer: WatchAnswer): void {
    const watch = this.#byId.get(answer.watch_id);
    if (!answer.canceled) {
      watch?.hear(answer);
      return;
    }
    // What we cancelled ourselves is unknown by now.
    if (watch === undefined && !answer.created) return;
    this.#byId.delete(answer.watch_id);
    if (watch !== undefined && answer.compact_revision > 0) void this.#relist(stream, watch);
    // Refused (without an ID), which a fresh connection with a fresh token may mend.
    else stream.destroy(new Error(answer.cancel_reason));
  }

  async #relist(stream: Stream, watch: EtcdWatch): Promise<void> {
    try {
      watch.reset(await this.#directory.list(watch.prefix));
    } catch (error) {
      stream.destroy(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (this.#stream === stream && this.#watches.has(watch)) this.#create(stream, watch);
  }
}
