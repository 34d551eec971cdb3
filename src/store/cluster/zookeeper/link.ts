/** The way to ZooKeeper: one connection at a time, to the first of its servers that answers. */
import { formatEndpoint, type ClusterStoreOptions, type StoreEndpoint } from '../../../model/cluster-address.ts';
import type { StoreStatus } from '../../../model/cluster-store.ts';
import type { TsnetError } from '../../../model/error.ts';
import { SessionOver, ZooConnection, type SessionTicket } from './connection.ts';
import { zooError } from './zoo-error.ts';

/** The session of calls and watches keeps nothing: it is as short as any server grants. */
const SESSION_MS = 4_000;

export interface ZooLinkRequest {
  readonly endpoints: readonly StoreEndpoint[];
  readonly options: ClusterStoreOptions;
  readonly timeoutMs: number;
}

export class ZooLink {
  readonly #request: ZooLinkRequest;
  #next = 0;
  #connection: ZooConnection | undefined;
  #connecting: Promise<ZooConnection> | undefined;
  #reason: string | undefined = 'not asked yet';
  #isClosed = false;

  constructor(request: ZooLinkRequest) {
    this.#request = request;
  }

  status(): StoreStatus {
    const endpoint = this.#connection?.endpoint ?? this.#preferred();
    const about = { kind: 'zookeeper', endpoint: formatEndpoint(endpoint) } as const;
    return this.#reason === undefined
      ? { ...about, reachable: true }
      : { ...about, reachable: false, reason: this.#reason };
  }

  connect(): Promise<ZooConnection> {
    if (this.#isClosed) return Promise.reject(new Error('closed'));
    if (this.#connection !== undefined) return Promise.resolve(this.#connection);
    this.#connecting ??= this.open(SESSION_MS)
      .then((connection) => {
        this.#adopt(connection);
        return connection;
      })
      .finally(() => {
        this.#connecting = undefined;
      });
    return this.#connecting;
  }

  /** A connection of its own, whose session lives for so long. Each server is tried once. */
  async open(sessionMs: number, resume?: SessionTicket): Promise<ZooConnection> {
    const { endpoints, options, timeoutMs } = this.#request;
    const end = performance.now() + timeoutMs;
    for (let remaining = endpoints.length; ; remaining -= 1) {
      try {
        const share = Math.max(1, (end - performance.now()) / remaining);
        const connection = await ZooConnection.open({
          endpoint: this.#preferred(),
          options,
          sessionMs,
          timeoutMs: share,
          ...(resume === undefined ? {} : { resume }),
        });
        this.#reason = undefined;
        return connection;
      } catch (error) {
        if (error instanceof SessionOver) throw error;
        this.#reason = reasonOf(error);
        this.#next += 1;
        if (remaining === 1 || this.#isClosed) throw error;
      }
    }
  }

  told(error: unknown, act: string): TsnetError {
    const { endpoints, timeoutMs } = this.#request;
    return zooError(error, { where: `zk://${endpoints.map(formatEndpoint).join()}`, act, timeoutMs });
  }

  close(): void {
    this.#isClosed = true;
    this.#reason = 'closed';
    this.#connection?.close().catch(() => undefined);
  }

  #adopt(connection: ZooConnection): void {
    this.#connection = connection;
    connection.down.addEventListener('abort', () => {
      this.#connection = undefined;
      this.#reason = reasonOf(connection.down.reason);
      this.#next += 1;
    });
    if (this.#isClosed) connection.drop(new Error('closed'));
  }

  #preferred(): StoreEndpoint {
    const { endpoints } = this.#request;
    return endpoints[this.#next % endpoints.length] ?? { host: 'nowhere', port: 0 };
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
