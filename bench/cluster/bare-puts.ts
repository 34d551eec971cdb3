/**
 * Writes to etcd with nothing of ours between: one HTTP/2 connection a writer, one `Put` at a time on it, its message written once and
 * only numbered afterwards. What comes out is what etcd and this machine do at most.
 */
import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';

/** Digits of a key's number. */
const DIGITS = 8;
const VALUE_BYTES = 120;

export interface BareWriter {
  /** Writes a key that nobody else writes; resolves when etcd says that it has it. */
  put(): Promise<void>;
  close(): void;
}

export function openBareWriter(url: string, name: string): BareWriter {
  const session = connect(url);
  const { message, digitsAt } = putRequest(`bare/${name}/`);
  let count = 0;
  return {
    put: () => {
      message.write(String((count += 1)).padStart(DIGITS, '0'), digitsAt);
      return ask(session, message);
    },
    close: () => {
      session.destroy();
    },
  };
}

function ask(session: ClientHttp2Session, message: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: '/etcdserverpb.KV/Put',
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
      [constants.HTTP2_HEADER_TE]: 'trailers',
    });
    let status = 'none';
    stream.on('trailers', (trailers: IncomingHttpHeaders) => (status = String(trailers['grpc-status'])));
    stream.on('error', reject);
    stream.on('end', () => {
      if (status === '0') resolve();
      else reject(new Error(`put: gRPC status ${status}`));
    });
    stream.resume();
    stream.end(message);
  });
}

/** gRPC's frame around `PutRequest { key = 1, value = 2 }`. */
function putRequest(prefix: string): { readonly message: Buffer; readonly digitsAt: number } {
  const key = Buffer.from(prefix + '0'.repeat(DIGITS));
  const body = Buffer.concat([
    Buffer.from([(1 << 3) | 2, key.length]),
    key,
    Buffer.from([(2 << 3) | 2, VALUE_BYTES]),
    Buffer.alloc(VALUE_BYTES, 'v'),
  ]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return { message: Buffer.concat([head, body]), digitsAt: head.length + 2 + prefix.length };
}
