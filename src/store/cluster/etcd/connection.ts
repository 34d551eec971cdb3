/** One connection to one etcd server, from its opening until it fails. It is never mended: `link.ts` opens another. */
import { Client, credentials, Metadata, type ChannelCredentials, type ClientDuplexStream } from '@grpc/grpc-js';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { formatEndpoint, type ClusterStoreOptions, type StoreEndpoint } from '../../../model/cluster-address.ts';
import { TsnetError } from '../../../model/error.ts';
import { failureOf } from './etcd-error.ts';
import { AUTHENTICATE, RANGE, type Method } from './messages.ts';
import { decode, encode, type Decoded, type Given, type Message } from './protobuf.ts';

/**
 * How long an idle connection may be silent before a ping asks. etcd takes pings less than 5 s apart for an attack and hangs up
 * (--grpc-keepalive-min-time), so a silent cut is known after these two at the latest, or with the first call that gets no answer.
 */
const PING_EVERY_MS = 5_500;
const PING_ANSWER_MS = 2_000;

export interface ConnectionRequest {
  readonly endpoint: StoreEndpoint;
  readonly options: ClusterStoreOptions;
  readonly timeoutMs: number;
}

export class EtcdConnection {
  readonly endpoint: StoreEndpoint;
  readonly #client: Client;
  readonly #options: ClusterStoreOptions;
  readonly #down = new AbortController();
  readonly #metadata = new Metadata();
  #heardAt = 0;

  private constructor(client: Client, { endpoint, options }: ConnectionRequest) {
    this.#client = client;
    this.endpoint = endpoint;
    this.#options = options;
    // A server that has lost the others says so, where it would be silent otherwise: on streams above all.
    this.#metadata.set('hasleader', 'true');
  }

  /** Opens one that has answered, so that what fails later was in reach once. */
  static async open(request: ConnectionRequest): Promise<EtcdConnection> {
    const client = new Client(formatEndpoint(request.endpoint), credentialsOf(request), {
      'grpc.keepalive_time_ms': PING_EVERY_MS,
      'grpc.keepalive_timeout_ms': PING_ANSWER_MS,
      'grpc.keepalive_permit_without_calls': 0,
      'grpc.enable_retries': 0,
      'grpc.max_receive_message_length': -1,
      'grpc.service_config_disable_resolution': 1,
      // A connection of our own: a shared one that is cut would be handed out again.
      'grpc.use_local_subchannel_pool': 1,
      // No name may be an address (RFC 6066): the certificate is looked at in `credentialsOf`.
      ...(isIP(request.endpoint.host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'etcd' }),
    });
    const connection = new EtcdConnection(client, request);
    try {
      if (request.options.user !== undefined) await connection.authenticate(request.timeoutMs);
      // Counting a key that nobody writes asks a quorum and reads nothing.
      else await connection.ask(RANGE, { key: 'tsnet-probe', count_only: true }, request.timeoutMs);
    } catch (error) {
      // Who must say who they are, or may not read this, is answered all the same.
      if (failureOf(error) !== 'denied' || request.options.user !== undefined) {
        connection.close();
        throw error;
      }
    }
    return connection;
  }

  /** Aborted when this connection is no longer used: whoever has a stream on it looks for another. */
  get down(): AbortSignal {
    return this.#down.signal;
  }

  /** When the server last said something, milliseconds of the monotonic clock. */
  get heardAt(): number {
    return this.#heardAt;
  }

  async authenticate(timeoutMs: number): Promise<void> {
    const { user: name = '', password = '' } = this.#options;
    this.#metadata.remove('token');
    const { token } = await this.ask(AUTHENTICATE, { name, password }, timeoutMs);
    this.#metadata.set('token', token);
  }

  /** Rejects with gRPC's error. */
  ask<Q extends Message, A extends Message>(
    method: Method<Q, A>,
    request: Given<Q>,
    timeoutMs: number,
  ): Promise<Decoded<A>> {
    const options = { deadline: Date.now() + timeoutMs };
    return new Promise((resolve, reject) => {
      const { path, request: asked, answer: answered } = method;
      const serialize = (value: Given<Q>): Buffer => encode(asked, value);
      const deserialize = (bytes: Buffer): Decoded<A> => decode(answered, bytes);
      if (!method.isStream) {
        const done = (error: Error | null, answer?: Decoded<A>): void => {
          if (error !== null || answer === undefined) {
            reject(error ?? new Error('no answer'));
            return;
          }
          this.#heardAt = performance.now();
          resolve(answer);
        };
        this.#client.makeUnaryRequest(path, serialize, deserialize, request, this.#metadata, options, done);
        return;
      }
      const stream = this.#client.makeBidiStreamRequest(path, serialize, deserialize, this.#metadata, options);
      stream.once('data', (answer: Decoded<A>) => {
        this.#heardAt = performance.now();
        resolve(answer);
        stream.cancel();
      });
      stream.on('error', reject);
      stream.on('end', () => {
        reject(new Error('ended without an answer'));
      });
      stream.write(request);
    });
  }

  /** A stream that ends with the connection. */
  stream<Q extends Message, A extends Message>(method: Method<Q, A>): ClientDuplexStream<Given<Q>, Decoded<A>> {
    const stream = this.#client.makeBidiStreamRequest(
      method.path,
      (value: Given<Q>): Buffer => encode(method.request, value),
      (bytes: Buffer): Decoded<A> => decode(method.answer, bytes),
      this.#metadata,
    );
    stream.on('data', () => {
      this.#heardAt = performance.now();
    });
    const cancel = (): void => {
      stream.cancel();
    };
    this.#down.signal.addEventListener('abort', cancel, { once: true });
    stream.on('close', () => {
      this.#down.signal.removeEventListener('abort', cancel);
    });
    return stream;
  }

  close(): void {
    this.#down.abort();
    this.#client.close();
  }
}

/** Read anew for each connection, so that certificates may be exchanged. */
function credentialsOf({ endpoint: { host }, options: { ca, cert, key } }: ConnectionRequest): ChannelCredentials {
  if (ca === undefined && cert === undefined) return credentials.createInsecure();
  const checkServerIdentity = (_name: string, { raw }: { readonly raw: Buffer }): Error | undefined => {
    const shown = new X509Certificate(raw);
    const isItsOwn = isIP(host) === 0 ? shown.checkHost(host) : shown.checkIP(host);
    return isItsOwn === undefined ? new Error(`its certificate is not one of ${host}`) : undefined;
  };
  return credentials.createSsl(read(ca), read(key), read(cert), { checkServerIdentity });
}

function read(file: string | undefined): Buffer | null {
  if (file === undefined) return null;
  try {
    return readFileSync(file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    throw new TsnetError('CONFIG', `cluster-store-opts: read ${file}: ${String(code)}`, { cause: error });
  }
}
