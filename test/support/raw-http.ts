/** HTTP on a unix socket as a test wants it: any method, any path, any bytes. */
import { request } from 'node:http';
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  /** Sent as it is. */
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export function ask(socketPath: string, { method = 'GET', path, body, headers = {} }: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    // Node's client gives a length to the bodies of some methods only.
    const type =
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
    const asking = request({ socketPath, method, path, headers: { host: 'test', ...type, ...headers } }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => {
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text: Buffer.concat(parts).toString('utf8'),
        });
      });
    });
    asking.on('error', reject);
    asking.end(body);
  });
}

/** A JSON body, a JSON answer. */
export async function askJson(
  socket: string,
  { body, ...rest }: Omit<RawRequest, 'body'> & { readonly body?: unknown },
): Promise<{ readonly status: number; readonly json: unknown }> {
  const { status, text } = await ask(socket, {
    ...rest,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status, json: text === '' ? undefined : (JSON.parse(text) as unknown) };
}

/** Sends bytes that need not be HTTP; what comes back until the other side ends it, or `patienceMs` have passed. */
export function sendBytes(socketPath: string, bytes: string | Buffer, patienceMs = 1000): Promise<string> {
  return new Promise((resolve) => {
    let told = '';
    const connection = connect(socketPath, () => connection.write(bytes));
    const end = (): void => {
      connection.destroy();
      resolve(told);
    };
    const timer = setTimeout(end, patienceMs);
    connection.on('data', (part) => {
      told += part.toString('latin1');
    });
    connection
      .on('error', () => undefined)
      .on('close', () => {
        clearTimeout(timer);
        resolve(told);
      });
  });
}
