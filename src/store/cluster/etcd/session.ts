/**
 * A session is a lease of etcd, kept alive every third of its time by a call that has an answer. What counts is our own clock: a session
 * whose deadline has passed without an answer is lost, whatever the server may still believe.
 */
import type { StoreSession } from '../../../model/cluster-store.ts';
import type { EtcdLink } from './link.ts';
import { LEASE_GRANT, LEASE_KEEP_ALIVE, LEASE_REVOKE } from './messages.ts';

/** Between attempts to renew while the store is out of reach. */
const RETRY_MS = 500;

export class EtcdSession implements StoreSession {
  readonly id: string;
  readonly lease: bigint;
  readonly lost: Promise<void>;
  readonly #link: EtcdLink;
  #ttlMs: number;
  #deadline: number;
  #lose: () => void = () => undefined;
  #renewal: NodeJS.Timeout | undefined;
  #end: NodeJS.Timeout | undefined;
  #isOver = false;

  private constructor(
    link: EtcdLink,
    granted: { readonly lease: bigint; readonly ttlMs: number; readonly askedAt: number },
  ) {
    this.#link = link;
    this.lease = granted.lease;
    this.id = BigInt.asUintN(64, granted.lease).toString(16);
    this.#ttlMs = granted.ttlMs;
    this.#deadline = granted.askedAt + granted.ttlMs;
    this.lost = new Promise((resolve) => (this.#lose = resolve));
    this.#plan(granted.ttlMs / 3);
  }

  /** etcd counts in seconds, and keeps no lease shorter than its elections allow (2 s unless told). */
  static async open(link: EtcdLink, ttlMs: number): Promise<EtcdSession> {
    const askedAt = performance.now();
    const { ID, TTL } = await link.ask(LEASE_GRANT, { TTL: Math.ceil(ttlMs / 1000) }, 'open a session');
    return new EtcdSession(link, { lease: ID, ttlMs: TTL * 1000, askedAt });
  }

  deadline(): number {
    return this.#deadline;
  }

  async close(): Promise<void> {
    if (this.#isOver) return;
    this.abandon();
    await this.#link.ask(LEASE_REVOKE, { ID: this.lease }, 'close the session');
  }

  /** Lets it run out. */
  abandon(): void {
    this.#isOver = true;
    clearTimeout(this.#renewal);
    clearTimeout(this.#end);
  }

  #plan(delayMs: number): void {
    clearTimeout(this.#end);
    const leftMs = this.#deadline - performance.now();
    this.#end = setTimeout(() => {
      this.#finish();
    }, leftMs);
    this.#renewal = setTimeout(() => void this.#renew(), Math.min(delayMs, leftMs));
  }

  async #renew(): Promise<void> {
    const askedAt = performance.now();
    try {
      const { TTL } = await this.#link.ask(LEASE_KEEP_ALIVE, { ID: this.lease }, 'keep the session');
      if (this.#isOver) return;
      if (TTL <= 0) {
        this.#finish();
        return;
      }
      this.#ttlMs = TTL * 1000;
      this.#deadline = askedAt + this.#ttlMs;
      this.#plan(this.#ttlMs / 3);
    } catch {
      // `status()` says why. The deadline stands.
      if (!this.#isOver) this.#plan(RETRY_MS);
    }
  }

  #finish(): void {
    if (this.#isOver) return;
    this.abandon();
    this.#lose();
  }
}
