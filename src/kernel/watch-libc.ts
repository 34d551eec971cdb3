/**
 * The system calls that watching needs and Node.js has no words for, through npm `koffi`: multicast netlink with the namespace
 * that an event comes from, ends of processes, the size of legacy iptables' tables, ports held without listening.
 *
 * Nothing here waits: every call answers at once.
 */
import { createRequire } from 'node:module';
import { KernelRefusal } from './kernel-refusal.ts';

/** One datagram of a multicast socket. */
export interface Datagram {
  readonly bytes: Buffer;
  /** Sender's netlink port; the kernel's is 0. */
  readonly port: number;
  /** What the socket's namespace calls the namespace that it comes from; undefined: the socket's own. */
  readonly nsid: number | undefined;
}

/** Every function throws KernelRefusal with the call's errno unless it says otherwise. */
export interface WatchLibc {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Buffer): void;
  setOption(fd: number, level: number, option: number, value: Buffer): void;
  getOption(fd: number, level: number, option: number, value: Buffer): void;
  /** Lets through what this classic BPF program (`struct sock_filter`, 8 bytes an instruction) says. */
  attachFilter(fd: number, instructions: Buffer): void;
  /** The next datagram, `bytes` good until the next call; undefined when there is none. ENOBUFS: some were lost. */
  receive(fd: number): Datagram | undefined;
  /** A descriptor that becomes readable when the process ends. ESRCH: it has. */
  openProcess(pid: number): number;
  openEpoll(): number;
  epollAdd(epoll: number, fd: number): void;
  /** Those of the added descriptors that are readable now, up to 64. */
  readable(epoll: number): number[];
}

export const SOCK_NONBLOCK_CLOEXEC = 0o2004000;
const EAGAIN = 11;
const SYS_PIDFD_OPEN = 434;
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
/** `struct epoll_event` is packed on x86 alone. */
const EPOLL_EVENT = process.arch === 'x64' || process.arch === 'ia32' ? { bytes: 12, data: 4 } : { bytes: 16, data: 8 };
const MOST_READABLE = 64;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SOL_NETLINK = 270;
const NETLINK_LISTEN_ALL_NSID = 8;
const DATAGRAM_BYTES = 1 << 16;
const CONTROL_BYTES = 64;

let loaded: WatchLibc | undefined;

export function watchLibc(): WatchLibc {
  return (loaded ??= load());
}

function load(): WatchLibc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  const define = (prototype: string): ((...values: unknown[]) => number) => library.func(prototype);
  const socket = define('int socket(int family, int type, int protocol)');
  const bind = define('int bind(int fd, const void *address, uint32_t length)');
  const setsockopt = define('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)');
  const getsockopt = define('int getsockopt(int fd, int level, int option, void *value, void *length)');
  const recvmsg = define('long recvmsg(int fd, void *message, int flags)');
  const syscall = define('long syscall(long number, long first, long second)');
  const epollCreate = define('int epoll_create1(int flags)');
  const epollCtl = define('int epoll_ctl(int epoll, int operation, int fd, void *event)');
  const epollWait = define('int epoll_wait(int epoll, void *events, int most, int timeout)');
  const check = (result: number): number => {
    if (result < 0) throw new KernelRefusal(koffi.errno());
    return result;
  };

  // One `struct msghdr` for all calls: they never overlap.
  const [name, data, control] = [Buffer.alloc(12), Buffer.alloc(DATAGRAM_BYTES), Buffer.alloc(CONTROL_BYTES)];
  const [iovec, message] = [Buffer.alloc(16), Buffer.alloc(56)];
  /** What only the kernel knows the address of must not be collected. */
  const kept = new Set<Buffer>([name, data, control, iovec]);
  iovec.writeBigUInt64LE(koffi.address(data), 0);
  iovec.writeBigUInt64LE(BigInt(DATAGRAM_BYTES), 8);
  message.writeBigUInt64LE(koffi.address(name), 0);
  message.writeBigUInt64LE(koffi.address(iovec), 16);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(koffi.address(control), 32);
  const events = Buffer.alloc(MOST_READABLE * EPOLL_EVENT.bytes);

  return {
    socket: (family, type, protocol) => check(socket(family, type, protocol)),
    bind: (fd, to) => void check(bind(fd, to, to.length)),
    setOption: (fd, level, option, value) => void check(setsockopt(fd, level, option, value, value.length)),
    getOption: (fd, level, option, value) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(value.length, 0);
      check(getsockopt(fd, level, option, value, length));
    },
    attachFilter: (fd, instructions) => {
      const program = Buffer.alloc(16);
      program.writeUInt16LE(instructions.length / 8, 0);
      program.writeBigUInt64LE(koffi.address(instructions), 8);
      kept.add(instructions);
      const result = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, program.length);
      check(result);
      kept.delete(instructions);
    },
    receive: (fd) => {
      message.writeUInt32LE(name.length, 8);
      message.writeBigUInt64LE(BigInt(CONTROL_BYTES), 40);
      const size = recvmsg(fd, message, 0);
      if (size < 0) {
        if (koffi.errno() === EAGAIN) return undefined;
        throw new KernelRefusal(koffi.errno());
      }
      // One `struct cmsghdr` (length, level, type) and a number.
      const isTold =
        message.readUInt32LE(40) >= 20 &&
        control.readInt32LE(8) === SOL_NETLINK &&
        control.readInt32LE(12) === NETLINK_LISTEN_ALL_NSID;
      return {
        bytes: data.subarray(0, size),
        port: name.readUInt32LE(4),
        nsid: isTold ? control.readInt32LE(16) : undefined,
      };
    },
    openProcess: (pid) => check(syscall(SYS_PIDFD_OPEN, pid, 0)),
    openEpoll: () => check(epollCreate(EPOLL_CLOEXEC)),
    epollAdd: (epoll, fd) => {
      const event = Buffer.alloc(EPOLL_EVENT.bytes);
      event.writeUInt32LE(EPOLLIN, 0);
      event.writeInt32LE(fd, EPOLL_EVENT.data);
      check(epollCtl(epoll, EPOLL_CTL_ADD, fd, event));
    },
    readable: (epoll) => {
      const count = check(epollWait(epoll, events, MOST_READABLE, 0));
      return Array.from({ length: count }, (_, index) =>
        events.readInt32LE(index * EPOLL_EVENT.bytes + EPOLL_EVENT.data),
      );
    },
  };
}
