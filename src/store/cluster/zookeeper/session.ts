/**
 * A session has a connection of its own, since ZooKeeper's sessions are connections. When that is lost another one goes on with it, until
 * the deadline: then it is lost, whatever the server may still believe.
 */
import type { StoreSession } from '../../../model/cluster-store.ts';
import { SessionOver, type ZooConnection } from './connection.ts';
import type { ZooLink } from './link.ts';

/** Between attempts to go on with it. */
const RETRY_MS = 300;

export class ZooSession implements StoreSession {
  readonly id: string;
  readonly lost: Promise<void>;
  readonly #link: ZooLink;
  readonly #ttlMs: number;
  #connection: ZooConnection;
  #lose: () => void = () => undefined;
  #isOver = false;

  private constructor(link: ZooLink, ttlMs: number, connection: ZooConnection) {
    this.#link = link;
    this.#ttlMs = ttlMs;
    this.#connection = connection;
    this.id = connection.sessionId;
    this.lost = new Promise((resolve) => (this.#lose = resolve));
    this.#watch(connection);
  }

  static async open(link: ZooLink, ttlMs: number): Promise<ZooSession> {
    return new ZooSession(link, ttlMs, await link.open(ttlMs));
  }

  /** What it writes with. */
  get connection(): ZooConnection {
    return this.#connection;
  }

  deadline(): number {
    return this.#connection.deadline;
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await this.#connection.close();
  }

  /** Lets it run out. */
  abandon(): void {
    this.#isOver = true;
    this.#connection.drop(new Error('closed'));
  }

  #watch(connection: ZooConnection): void {
    connection.down.addEventListener('abort', () => {
      if (connection.down.reason instanceof SessionOver) this.#finish();
      else void this.#goOn();
    });
  }

  async #goOn(): Promise<void> {
    const { ticket } = this.#connection;
    const deadline = this.deadline();
    const end = setTimeout(() => {
      this.#finish();
    }, deadline - performance.now());
    while (!this.isOver()) {
      try {
        const connection = await this.#link.open(this.#ttlMs, ticket);
        clearTimeout(end);
        if (this.isOver()) {
          connection.drop(new Error('too late'));
          return;
        }
        this.#connection = connection;
        this.#watch(connection);
        return;
      } catch (error) {
        if (error instanceof SessionOver) this.#finish();
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    clearTimeout(end);
  }

  /** A method, since it changes while one waits. */
  isOver(): boolean {
    return this.#isOver;
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#lose();
  }
}
