/**
 * One exchange over a unix socket that this process waits for and does nothing else: what a plugin's process is for. By system calls,
 * since node:net and the streams under it take longer to load than a daemon to answer.
 */
import { closeSync, readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { TsnetError } from '../model/error.ts';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
/** struct sockaddr_un (unix(7)): the family, the path and its final zero. */
const ADDRESS_BYTES = 110;
const PATH_BYTES = 108;
const EPERM = 1;
const EACCES = 13;

interface Libc {
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly connect: (socket: number, address: Buffer, bytes: number) => number;
  readonly setsockopt: (socket: number, level: number, option: number, value: Buffer, bytes: number) => number;
  readonly errno: () => number;
}

function loadLibc(): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  return {
    socket: library.func('int socket(int family, int type, int protocol)'),
    connect: library.func('int connect(int socket, const void *address, int bytes)'),
    setsockopt: library.func('int setsockopt(int socket, int level, int option, const void *value, int bytes)'),
    errno: () => koffi.errno(),
  };
}

/**
 * Sends `text` and reads until the other side closes. Undefined where nobody listens.
 * @throws TsnetError PERMISSION; RUNTIME where the other side is gone, or silent for `patienceSeconds`
 */
export function blockingExchange(path: string, text: string, patienceSeconds: number): string | undefined {
  const libc = loadLibc();
  const socket = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0 || Buffer.byteLength(path) >= PATH_BYTES) return undefined;
  try {
    // struct timeval
    const patience = Buffer.alloc(16);
    patience.writeBigInt64LE(BigInt(patienceSeconds));
    for (const option of [SO_RCVTIMEO, SO_SNDTIMEO]) {
      libc.setsockopt(socket, SOL_SOCKET, option, patience, patience.length);
    }
    const address = Buffer.alloc(ADDRESS_BYTES);
    address.writeUInt16LE(AF_UNIX);
    address.write(path, 2);
    if (libc.connect(socket, address, ADDRESS_BYTES) !== 0) {
      const errno = libc.errno();
      if (errno === EACCES || errno === EPERM) {
        throw new TsnetError('PERMISSION', `ask the daemon at ${path}: permission denied; be root`);
      }
      return undefined;
    }
    return exchange(socket, text);
  } catch (error) {
    if (error instanceof TsnetError) throw error;
    const why = `${(error as Error).message}; what it was doing it finishes or undoes`;
    throw new TsnetError('RUNTIME', `ask the daemon at ${path}: ${why}`, { cause: error });
  } finally {
    closeSync(socket);
  }
}

function exchange(socket: number, text: string): string {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length;) written += writeSync(socket, bytes, written);
  const parts: Buffer[] = [];
  for (;;) {
    const part = Buffer.allocUnsafe(1 << 16);
    const count = readSync(socket, part, 0, part.length, null);
    if (count === 0) return Buffer.concat(parts).toString('utf8');
    parts.push(part.subarray(0, count));
  }
}
