/** The way to etcd: one connection at a time, to the first of its servers that answers, and another when it fails. */
import { formatEndpoint, type ClusterStoreOptions, type StoreEndpoint } from '../../../model/cluster-address.ts';
import type { StoreStatus } from '../../../model/cluster-store.ts';
import { TsnetError } from '../../../model/error.ts';
import { EtcdConnection } from './connection.ts';
import { etcdError, failureOf, reasonOf } from './etcd-error.ts';
import type { Method } from './messages.ts';
import type { Decoded, Given, Message } from './protobuf.ts';

export interface LinkRequest {
  readonly endpoints: readonly StoreEndpoint[];
  readonly options: ClusterStoreOptions;
  /** Longest time that a call may take, with all attempts. */
  readonly timeoutMs: number;
}

export class EtcdLink {
  readonly #request: LinkRequest;
  /** The server to try first. */
  #next = 0;
  #connection: EtcdConnection | undefined;
  #connecting: Promise<EtcdConnection> | undefined;
  #reason: string | undefined = 'not asked yet';
  #isClosed = false;

  constructor(request: LinkRequest) {
    this.#request = request;
  }

  status(): StoreStatus {
    const endpoint = formatEndpoint(this.#connection?.endpoint ?? this.#preferred());
    const about = { kind: 'etcd', endpoint } as const;
    return this.#reason === undefined
      ? { ...about, reachable: true }
      : { ...about, reachable: false, reason: this.#reason };
  }

  /**
   * One answer, within the time of a call. What can be asked twice is asked again over another connection where one failed.
   *
   * @throws TsnetError TIMEOUT, RUNTIME, PERMISSION
   */
  async ask<Q extends Message, A extends Message>(
    method: Method<Q, A>,
    request: Given<Q>,
    act: string,
  ): Promise<Decoded<A>> {
    const end = performance.now() + this.#request.timeoutMs;
    const left = (): number => Math.max(1, end - performance.now());
    for (let attempt = 1; ; attempt += 1) {
      let connection: EtcdConnection | undefined;
      const startedAt = performance.now();
      try {
        connection = await within(left(), this.connect(), () => this.#tooLate(act));
        const answer = await connection.ask(method, request, left());
        this.#reason = undefined;
        return answer;
      } catch (error) {
        const failure = failureOf(error);
        if (connection !== undefined) {
          // A server that is only slow, and says so by other answers, is not given up.
          const isSilent = failure === 'unanswered' && connection.heardAt < startedAt;
          if (failure === 'unreachable' || isSilent) this.fail(connection, error);
          const isWorthAnother = failure === 'stale-token' || (failure === 'unreachable' && method.isRepeatable);
          if (attempt <= 2 && isWorthAnother && left() > 1) {
            if (failure === 'stale-token') await this.#authenticate(connection, left());
            continue;
          }
        }
        throw this.#told(error, act);
      }
    }
  }

  /** The connection of now, or a new one: each server is tried once. Rejects with gRPC's error of the last one. */
  connect(): Promise<EtcdConnection> {
    if (this.#isClosed) return Promise.reject(new TsnetError('RUNTIME', 'cluster store: closed'));
    if (this.#connection !== undefined) return Promise.resolve(this.#connection);
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /** Gives a connection up: the next call, and whoever has a stream on it, gets another. */
  fail(connection: EtcdConnection, why: unknown): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#reason = reasonOf(why);
    this.#next += 1;
    connection.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#connection?.close();
    this.#connection = undefined;
    this.#reason = 'closed';
  }

  #preferred(): StoreEndpoint {
    const { endpoints } = this.#request;
    return endpoints[this.#next % endpoints.length] ?? { host: 'nowhere', port: 0 };
  }

  async #open(): Promise<EtcdConnection> {
    const { endpoints, options, timeoutMs } = this.#request;
    const end = performance.now() + timeoutMs;
    for (let remaining = endpoints.length; ; remaining -= 1) {
      const endpoint = this.#preferred();
      try {
        // One server that swallows packets leaves time for the others.
        const share = Math.max(1, (end - performance.now()) / remaining);
        const connection = await EtcdConnection.open({ endpoint, options, timeoutMs: share });
        return this.#adopt(connection);
      } catch (error) {
        this.#reason = reasonOf(error);
        const isOver = failureOf(error) === 'denied' || this.#isClosed || remaining === 1;
        this.#next += 1;
        if (isOver) throw error;
      }
    }
  }

  #adopt(connection: EtcdConnection): EtcdConnection {
    if (this.#isClosed) {
      connection.close();
      throw new TsnetError('RUNTIME', 'cluster store: closed');
    }
    this.#connection = connection;
    this.#reason = undefined;
    return connection;
  }

  async #authenticate(connection: EtcdConnection, timeoutMs: number): Promise<void> {
    if (this.#request.options.user === undefined) return;
    try {
      await connection.authenticate(timeoutMs);
    } catch (error) {
      throw this.#told(error, 'authenticate');
    }
  }

  #tooLate(act: string): TsnetError {
    const { endpoints, timeoutMs } = this.#request;
    return new TsnetError(
      'TIMEOUT',
      `cluster store ${urlOf(endpoints)}: ${act}: not reached within ${timeoutMs / 1000} s`,
    );
  }

  #told(error: unknown, act: string): TsnetError {
    const { endpoints, timeoutMs } = this.#request;
    return etcdError(error, { where: urlOf(endpoints), act, timeoutMs });
  }
}

function urlOf(endpoints: readonly StoreEndpoint[]): string {
  return `etcd://${endpoints.map(formatEndpoint).join(',')}`;
}

/** What `promise` answers, unless it takes longer. */
async function within<T>(milliseconds: number, promise: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(late());
    }, milliseconds);
  });
  try {
    return await Promise.race([promise, timeUp]);
  } finally {
    clearTimeout(timer);
  }
}
