/**
 * What a service manager is told (sd_notify(3)): one datagram to the unix socket that NOTIFY_SOCKET names. Node.js has no unix
 * datagrams, so it goes through libc.
 */
import { closeSync } from 'node:fs';
import { createRequire } from 'node:module';

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
/** sun_path of sockaddr_un, unix(7). */
const MOST_PATH_BYTES = 108;

/** "READY=1", "STATUS=…", "WATCHDOG=1" … False: nobody asked, or nobody listens; a service goes on without its manager. */
export function tellServiceManager(env: NodeJS.ProcessEnv, state: string): boolean {
  const target = env['NOTIFY_SOCKET'];
  if (target === undefined || target === '' || Buffer.byteLength(target) > MOST_PATH_BYTES) return false;
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  const socket = library.func('int socket(int family, int type, int protocol)') as (...values: number[]) => number;
  const sendto = library.func(
    'long sendto(int fd, const void *data, size_t length, int flags, const void *address, uint32_t size)',
  ) as (...values: unknown[]) => number;
  const fd = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) return false;
  try {
    const message = Buffer.from(state);
    const address = addressOf(target);
    return sendto(fd, message, message.length, 0, address, address.length) === message.length;
  } finally {
    closeSync(fd);
  }
}

/** `struct sockaddr_un`; a leading "@" stands for the abstract namespace. */
function addressOf(target: string): Buffer {
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX, 0);
  const path = Buffer.from(target);
  if (target.startsWith('@')) {
    path[0] = 0;
    return Buffer.concat([family, path]);
  }
  return Buffer.concat([family, path, Buffer.alloc(1)]);
}

/** How often WATCHDOG=1 is due, in milliseconds: twice in the time that the manager allows. Undefined: it does not watch. */
export function watchdogMs(env: NodeJS.ProcessEnv): number | undefined {
  const micros = Number(env['WATCHDOG_USEC']);
  const isOurs = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(process.pid);
  return isOurs && micros > 0 ? micros / 2000 : undefined;
}
