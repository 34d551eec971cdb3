/** A {@link MemoryCluster} as one host has it: the contract, and the faults of this host alone. */
import type {
  ClusterStore,
  StoredItem,
  StoreSession,
  StoreSnapshot,
  StoreStatus,
  StoreTransaction,
  StoreWatch,
  TransactionAnswer,
  WatchHandlers,
} from '../../src/model/cluster-store.ts';
import { TsnetError } from '../../src/model/error.ts';
import { checkKey, checkPrefix, checkTransaction } from '../../src/store/cluster/check-request.ts';
import type { MemoryCluster } from './memory-cluster.ts';
import { MemoryWatch } from './memory-watch.ts';

export interface MemoryHostOptions {
  /** How long a call waits for an answer that does not come. */
  readonly timeoutMs?: number;
}

/** `refused`: a call fails at once; `silent`: it fails when its time is over. */
export type Cut = 'refused' | 'silent';

export class MemoryHost implements ClusterStore {
  readonly #cluster: MemoryCluster;
  readonly #timeoutMs: number;
  readonly #watches = new Set<MemoryWatch>();
  readonly #sessions = new Set<MemorySession>();
  #cut: Cut | undefined;
  #answersToLose = 0;
  #isHeld = false;

  constructor(cluster: MemoryCluster, { timeoutMs = 20 }: MemoryHostOptions) {
    this.#cluster = cluster;
    this.#timeoutMs = timeoutMs;
  }

  /** Cuts this host off: calls fail, watches are stale, sessions run out unless it heals in time. */
  cut(how: Cut = 'silent'): void {
    if (this.#cut !== undefined) return;
    this.#cut = how;
    for (const watch of this.#watches) watch.cut();
    for (const session of this.#sessions) session.cut(how);
  }

  /** Watches go on where they were, or are told everything when that is forgotten. */
  heal(): void {
    this.#cut = undefined;
    for (const session of this.#sessions) session.heal();
    for (const watch of this.#watches) watch.heal();
  }

  /** The next so many transactions are done, and reject all the same: the answer was lost. */
  loseAnswers(count = 1): void {
    this.#answersToLose += count;
  }

  /** The store ends the sessions of this host. */
  loseSessions(): void {
    for (const session of this.#sessions) session.expire();
  }

  /** Every watch is told everything again. */
  resetWatches(): void {
    for (const watch of this.#watches) watch.reset();
  }

  /** Every watch is told its last batch again, as after a resumption. */
  repeatEvents(): void {
    for (const watch of this.#watches) watch.repeat();
  }

  /** From now on watches hear nothing and do not know it: events are on their way. */
  holdEvents(): void {
    this.#isHeld = true;
  }

  releaseEvents(): void {
    this.#isHeld = false;
    this.changed();
  }

  async get(key: string): Promise<StoredItem | undefined> {
    checkKey(key);
    await this.#reach(`get ${key}`);
    return this.#cluster.get(key);
  }

  async list(prefix: string): Promise<StoreSnapshot> {
    checkPrefix(prefix);
    await this.#reach(`list ${prefix}`);
    return this.#cluster.list(prefix);
  }

  async transact(transaction: StoreTransaction): Promise<TransactionAnswer> {
    checkTransaction(transaction);
    await this.#reach('write');
    const done = this.#cluster.transact(transaction);
    if (this.#answersToLose > 0) {
      this.#answersToLose -= 1;
      await this.#noAnswer('write');
    }
    return done === undefined ? { ok: false } : { ok: true, ...done };
  }

  watch(prefix: string, token: string, handlers: WatchHandlers): StoreWatch {
    checkPrefix(prefix);
    const watch = new MemoryWatch(this.#cluster, { prefix, token, handlers });
    this.#watches.add(watch);
    if (this.#cut !== undefined) watch.cut();
    if (!this.#isHeld) watch.changed();
    return {
      close: () => {
        watch.close();
        this.#watches.delete(watch);
      },
    };
  }

  async openSession(ttlMs: number): Promise<StoreSession> {
    await this.#reach('open a session');
    const session = new MemorySession(this.#cluster, ttlMs, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    return session;
  }

  status(): StoreStatus {
    if (this.#cut === undefined) return { kind: 'memory', endpoint: 'memory', reachable: true };
    return { kind: 'memory', endpoint: 'memory', reachable: false, reason: `cut off (${this.#cut})` };
  }

  close(): Promise<void> {
    for (const watch of this.#watches) watch.close();
    this.#watches.clear();
    for (const session of this.#sessions) session.cut('silent');
    return Promise.resolve();
  }

  /** Called by the cluster after a change. */
  changed(): void {
    if (this.#isHeld) return;
    for (const watch of this.#watches) watch.changed();
  }

  async #reach(act: string): Promise<void> {
    if (this.#cut === 'refused') {
      await Promise.resolve();
      throw new TsnetError('RUNTIME', `cluster store memory: ${act}: connection refused`);
    }
    if (this.#cut === 'silent') await this.#noAnswer(act);
    // As late as an answer over a socket: after everything that is already under way.
    await Promise.resolve();
  }

  async #noAnswer(act: string): Promise<never> {
    await new Promise((resolve) => setTimeout(resolve, this.#timeoutMs));
    throw new TsnetError('TIMEOUT', `cluster store memory: ${act}: no answer within ${this.#timeoutMs / 1000} s`);
  }
}

class MemorySession implements StoreSession {
  readonly id: string;
  readonly lost: Promise<void>;
  readonly #cluster: MemoryCluster;
  readonly #ttlMs: number;
  readonly #ended: () => void;
  #lose: () => void = () => undefined;
  #deadline: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(cluster: MemoryCluster, ttlMs: number, ended: () => void) {
    this.id = cluster.openSession();
    this.#cluster = cluster;
    this.#ttlMs = ttlMs;
    this.#ended = ended;
    this.lost = new Promise((resolve) => (this.#lose = resolve));
  }

  deadline(): number {
    return this.#deadline ?? performance.now() + this.#ttlMs;
  }

  /** A server that is gone ends nobody's session; the host takes it for lost all the same. */
  cut(how: Cut): void {
    this.#deadline ??= performance.now() + this.#ttlMs;
    this.#timer ??= setTimeout(() => {
      if (how === 'silent') this.expire();
      else this.#finish();
    }, this.#ttlMs).unref();
  }

  heal(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#deadline = undefined;
  }

  expire(): void {
    this.#cluster.endSession(this.id);
    this.#finish();
  }

  close(): Promise<void> {
    this.#stop();
    this.#cluster.endSession(this.id);
    return Promise.resolve();
  }

  #finish(): void {
    this.#stop();
    this.#lose();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#deadline ??= performance.now();
    this.#ended();
  }
}
