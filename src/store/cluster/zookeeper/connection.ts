/**
 * One connection to one ZooKeeper server, which is one session there, from its opening until it fails. The client would connect
 * again by itself, and believes a connection that is silently cut for as long as its session lasts and longer; so it is asked for a
 * sign of life all the time, and given up after the first that is not answered.
 */
import zookeeper, { type Client, type Transaction } from 'node-zookeeper-client';
import { formatEndpoint, type ClusterStoreOptions, type StoreEndpoint } from '../../../model/cluster-address.ts';
import { NoAnswer } from './zoo-error.ts';

/** Longest time between two signs of life. */
const SIGN_OF_LIFE_MS = 2_500;

export interface ConnectionRequest {
  readonly endpoint: StoreEndpoint;
  readonly options: ClusterStoreOptions;
  /** Time to live of the session. ZooKeeper grants 2 to 20 of its ticks: 4 to 40 s unless told. */
  readonly sessionMs: number;
  readonly timeoutMs: number;
  /** A session to go on with, of a connection that was lost. */
  readonly resume?: SessionTicket;
}

export interface SessionTicket {
  readonly sessionId: Buffer;
  readonly sessionPassword: Buffer;
}

/** The server has ended the session. */
export class SessionOver extends Error {}

type Ask<T> = (client: Client, answer: (error: Error | null | undefined, value: T) => void) => void;

export class ZooConnection {
  readonly endpoint: StoreEndpoint;
  readonly #client: Client;
  readonly #timeoutMs: number;
  readonly acls: readonly object[];
  readonly #down = new AbortController();
  #answeredAt: number;
  #timer: NodeJS.Timeout | undefined;

  private constructor(client: Client, { endpoint, options, timeoutMs }: ConnectionRequest, askedAt: number) {
    this.#client = client;
    this.endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
    this.acls = options.user === undefined ? zookeeper.ACL.OPEN_ACL_UNSAFE : zookeeper.ACL.CREATOR_ALL_ACL;
    this.#answeredAt = askedAt;
  }

  static async open(request: ConnectionRequest): Promise<ZooConnection> {
    const { endpoint, options, sessionMs, timeoutMs, resume } = request;
    const client = zookeeper.createClient(formatEndpoint(endpoint), {
      sessionTimeout: sessionMs,
      retries: 0,
      ...resume,
    });
    if (options.user !== undefined) {
      client.addAuthInfo('digest', Buffer.from(`${options.user}:${options.password ?? ''}`));
    }
    const connection = new ZooConnection(client, request, performance.now());
    const connected = new Promise<void>((resolve, reject) => {
      client.once('connected', resolve);
      connection.down.addEventListener('abort', () => {
        reject(asError(connection.down.reason));
      });
    });
    client.on('disconnected', () => {
      connection.drop(new Error('the connection was lost'));
    });
    client.on('expired', () => {
      connection.drop(new SessionOver('the session is over'));
    });
    client.on('authenticationFailed', () => {
      connection.drop(Object.assign(new Error('AUTH_FAILED'), { code: zookeeper.Exception.AUTH_FAILED }));
    });
    client.connect();
    // The client says nothing of a server that refuses, and tries again.
    setImmediate(() => {
      client.connectionManager.socket?.once('error', (error) => {
        connection.drop(error);
      });
    });
    await connection.#inTime(connected, timeoutMs);
    connection.#liveOn();
    return connection;
  }

  /** Aborted, with the reason, when this connection is no longer used. */
  get down(): AbortSignal {
    return this.#down.signal;
  }

  get sessionId(): string {
    return this.#client.getSessionId().toString('hex');
  }

  /** Until when the server keeps the session for certain, milliseconds of the monotonic clock. */
  get deadline(): number {
    return this.#answeredAt + this.#client.getSessionTimeout();
  }

  get ticket(): SessionTicket {
    return { sessionId: this.#client.getSessionId(), sessionPassword: this.#client.getSessionPassword() };
  }

  begin(): Transaction {
    return this.#client.transaction();
  }

  /** Rejects with the client's error, or {@link NoAnswer}. */
  async ask<T>(ask: Ask<T>): Promise<T> {
    if (this.down.aborted) throw asError(this.down.reason);
    const askedAt = performance.now();
    const answer = new Promise<T>((resolve, reject) => {
      ask(this.#client, (error, value) => {
        // What the server refuses is an answer as well.
        if (!this.down.aborted) this.#answeredAt = Math.max(this.#answeredAt, askedAt);
        if (error === null || error === undefined) resolve(value);
        else reject(error);
      });
    });
    return this.#inTime(answer, this.#timeoutMs);
  }

  /** Ends the session. */
  async close(): Promise<void> {
    if (this.down.aborted) return;
    const closed = new Promise<void>((resolve) => {
      this.#client.once('disconnected', resolve);
    });
    this.#client.close();
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, this.#timeoutMs).unref())]);
    this.drop(new Error('closed'));
  }

  /** Lets the connection go, and the session run out. */
  drop(why: Error): void {
    if (this.down.aborted) return;
    clearTimeout(this.#timer);
    this.#down.abort(why);
    const manager = this.#client.connectionManager;
    manager.connect = () => undefined;
    manager.socket?.destroy();
    // Where it was just about to be made.
    setImmediate(() => manager.socket?.destroy());
  }

  #liveOn(): void {
    const pauseMs = Math.min(SIGN_OF_LIFE_MS, this.#client.getSessionTimeout() / 3);
    this.#timer = setTimeout(() => {
      this.ask<unknown>((client, answer) => {
        client.exists('/', undefined, answer);
      }).then(
        () => {
          if (!this.down.aborted) this.#liveOn();
        },
        (error: unknown) => {
          this.drop(asError(error));
        },
      );
    }, pauseMs);
  }

  async #inTime<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = new NoAnswer('no answer');
        this.drop(error);
        reject(error);
      }, milliseconds);
    });
    try {
      return await Promise.race([promise, timeUp]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
