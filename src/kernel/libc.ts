/**
 * The system calls that Node.js has no words for, through npm `koffi`.
 *
 * Calls run on the calling thread, synchronously: what `setns` and `unshare` change is this thread alone. The library is
 * loaded at the first call, since loading it costs as much as half a start of Node.js.
 */
import { closeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { KernelRefusal } from './kernel-refusal.ts';

/** Every function throws KernelRefusal with the call's errno. */
export interface Libc {
  /** Moves this thread into the network namespace behind an open file. */
  enterNetns(fd: number): void;
  /** Moves this thread into a new network namespace. */
  unshareNetns(): void;
  bindMount(source: string, target: string): void;
  /** Takes the mount away from the tree now, and from whoever still uses it when they are done. */
  detachMount(target: string): void;
  /** CLONE_NEW… of the namespace behind an open file of nsfs. */
  namespaceType(fd: number): number;
  /** SO_NETNS_COOKIE of this thread's network namespace, decimal; undefined before Linux 5.14. */
  netnsCookie(): string | undefined;
  /** SOL_NETLINK option of 4 bytes. */
  setNetlinkOption(fd: number, option: number, value: number): void;
  /** flock(2) without waiting; false while somebody else's lock is in the way. */
  tryLock(fd: number, mode: 'shared' | 'exclusive'): boolean;
  /** Whether a socket could listen on (tcp), or take packets of (udp), a port of every local address, IPv4 and IPv6. */
  canBind(protocol: 'tcp' | 'udp', port: number): boolean;
  /** Port of a netlink socket; undefined if `fd` is no netlink socket. */
  netlinkPort(fd: number): number | undefined;
}

export const CLONE_NEWNET = 0x40000000;
const MS_BIND = 4096;
const MNT_DETACH = 2;
const NS_GET_NSTYPE = 0xb703;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;
const SO_NETNS_COOKIE = 71;
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const EAGAIN = 11;
const SOL_NETLINK = 270;
const AF_NETLINK = 16;
const SOCKADDR_NL_BYTES = 12;

let loaded: Libc | undefined;

export function libc(): Libc {
  return (loaded ??= loadLibc());
}

/** The library if something has needed it already. */
export function libcIfLoaded(): Libc | undefined {
  return loaded;
}

function loadLibc(): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  const bind = (prototype: string): ((...values: unknown[]) => number) => library.func(prototype);
  const setns = bind('int setns(int fd, int type)');
  const unshare = bind('int unshare(int flags)');
  const mount = bind(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, void *data)',
  );
  const umount2 = bind('int umount2(const char *target, int flags)');
  const ioctl = bind('int ioctl(int fd, unsigned long request, long argument)');
  const setsockopt = bind('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)');
  const openSocket = bind('int socket(int family, int type, int protocol)');
  const getsockopt = bind('int getsockopt(int fd, int level, int option, void *value, void *length)');
  const flock = bind('int flock(int fd, int operation)');
  const getsockname = bind('int getsockname(int fd, void *address, void *length)');

  const bindSocket = bind('int bind(int fd, const void *address, uint32_t length)');

  const setOption = (fd: number, level: number, option: number, value: number): number => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value, 0);
    return setsockopt(fd, level, option, bytes, bytes.length);
  };
  const check = (result: number): number => {
    if (result < 0) throw new KernelRefusal(koffi.errno());
    return result;
  };
  return {
    enterNetns: (fd) => void check(setns(fd, CLONE_NEWNET)),
    unshareNetns: () => void check(unshare(CLONE_NEWNET)),
    bindMount: (source, target) => void check(mount(source, target, 'none', MS_BIND, null)),
    detachMount: (target) => void check(umount2(target, MNT_DETACH)),
    namespaceType: (fd) => check(ioctl(fd, NS_GET_NSTYPE, 0)),
    netnsCookie: () => {
      const fd = check(openSocket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0));
      try {
        const cookie = Buffer.alloc(8);
        const known = getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, Buffer.of(cookie.length, 0, 0, 0)) === 0;
        return known ? cookie.readBigUInt64LE(0).toString() : undefined;
      } finally {
        closeSync(fd);
      }
    },
    setNetlinkOption: (fd, option, value) => void check(setOption(fd, SOL_NETLINK, option, value)),
    canBind: (protocol, port) => {
      const type = protocol === 'tcp' ? SOCK_STREAM_CLOEXEC : SOCK_DGRAM_CLOEXEC;
      const both = openSocket(AF_INET6, type, 0);
      const family = both < 0 ? AF_INET : AF_INET6;
      const fd = both < 0 ? check(openSocket(AF_INET, type, 0)) : both;
      try {
        if (family === AF_INET6) check(setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0));
        // TCP: what is left of closed connections does not count. UDP sockets would share the port then.
        if (protocol === 'tcp') check(setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1));
        const address = Buffer.alloc(family === AF_INET6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES);
        address.writeUInt16LE(family, 0);
        address.writeUInt16BE(port, 2);
        return bindSocket(fd, address, address.length) === 0;
      } finally {
        closeSync(fd);
      }
    },
    tryLock: (fd, mode) => {
      if (flock(fd, (mode === 'shared' ? LOCK_SH : LOCK_EX) | LOCK_NB) === 0) return true;
      if (koffi.errno() === EAGAIN) return false;
      throw new KernelRefusal(koffi.errno());
    },
    netlinkPort: (fd) => {
      const address = Buffer.alloc(SOCKADDR_NL_BYTES);
      const length = Buffer.of(SOCKADDR_NL_BYTES, 0, 0, 0);
      if (getsockname(fd, address, length) !== 0 || address.readUInt16LE(0) !== AF_NETLINK) return undefined;
      return address.readUInt32LE(4);
    },
  };
}
