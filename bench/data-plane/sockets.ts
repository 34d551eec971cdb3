/**
 * The socket calls that the benchmark's packets are sent with, synchronous, on this thread.
 *
 * A packet that leaves by a veth is carried to its end within the system call that sends it: through the bridge, the
 * firewall and into the receiver's queue, on the same processor. One thread that holds both ends of a connection therefore
 * measures the way of the packets, and neither a scheduler nor how fast a client program is.
 */
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { KernelRefusal } from '../../src/kernel/kernel-refusal.ts';
import { inNetns } from '../../src/kernel/netns.ts';

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_RAW = 3;
const IPPROTO_ICMP = 1;
const IPPROTO_TCP = 6;
/** The sender writes the IP header itself. */
const IPPROTO_RAW = 255;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_LINGER = 13;
const TCP_NODELAY = 1;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;
const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const BACKLOG = 16;

const library = koffi.load(null);
const bind = (prototype: string): ((...values: unknown[]) => number) => library.func(prototype);
const calls = {
  socket: bind('int socket(int family, int type, int protocol)'),
  setsockopt: bind('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)'),
  bind: bind('int bind(int fd, const void *address, uint32_t length)'),
  listen: bind('int listen(int fd, int backlog)'),
  connect: bind('int connect(int fd, const void *address, uint32_t length)'),
  accept: bind('int accept(int fd, void *address, void *length)'),
  send: bind('long send(int fd, const void *data, size_t length, int flags)'),
  recv: bind('long recv(int fd, void *data, size_t length, int flags)'),
  sendmmsg: bind('int sendmmsg(int fd, void *messages, unsigned int count, int flags)'),
};
const mmap = library.func('void *mmap(void *near, size_t length, int prot, int flags, int fd, long offset)') as (
  ...values: unknown[]
) => unknown;

function check(result: number): number {
  if (result < 0) throw new KernelRefusal(koffi.errno());
  return result;
}

/** struct sockaddr_in; "0.0.0.0" is every local address. */
function socketAddress(address: string, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address.split('.').map(Number), 4);
  return bytes;
}

function int(...values: readonly number[]): Buffer {
  return Buffer.from(Int32Array.from(values).buffer);
}

function setOption(fd: number, level: number, option: number, value: Buffer): void {
  check(calls.setsockopt(fd, level, option, value, value.length));
}

/** Runs `act`, which must be synchronous, in the network namespace at `netns`. */
export function within<T>(netns: string, act: () => T): T {
  const fd = openSync(netns, 'r');
  try {
    return inNetns(fd, act);
  } finally {
    closeSync(fd);
  }
}

/** A TCP socket that listens on every address of this thread's namespace. */
export function listen(port: number): number {
  const fd = check(calls.socket(AF_INET, SOCK_STREAM, 0));
  setOption(fd, SOL_SOCKET, SO_REUSEADDR, int(1));
  const address = socketAddress('0.0.0.0', port);
  check(calls.bind(fd, address, address.length));
  check(calls.listen(fd, BACKLOG));
  return fd;
}

/** A TCP connection that sends each write at once, and that ends with a reset: nothing of it lingers. */
export function connect(address: string, port: number): number {
  const fd = check(calls.socket(AF_INET, SOCK_STREAM, 0));
  setOption(fd, SOL_SOCKET, SO_LINGER, int(1, 0));
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, int(1));
  const peer = socketAddress(address, port);
  check(calls.connect(fd, peer, peer.length));
  return fd;
}

export function accept(listener: number): number {
  const fd = check(calls.accept(listener, null, null));
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, int(1));
  return fd;
}

/** Bytes that went; 0 where the call would have had to wait. */
export function trySend(fd: number, data: Buffer, length = data.length): number {
  const sent = calls.send(fd, data, length, MSG_DONTWAIT);
  return sent < 0 && koffi.errno() === EAGAIN ? 0 : check(sent);
}

/** Takes up to `most` bytes and drops them. How many; 0 where nothing has come. */
export function tryDrop(fd: number, most: number): number {
  const taken = calls.recv(fd, null, most, MSG_DONTWAIT | MSG_TRUNC);
  return taken < 0 && koffi.errno() === EAGAIN ? 0 : check(taken);
}

/** A socket that sends whole IPv4 packets, header included, to wherever `via` is routed. */
export function openRaw(via: string): number {
  const fd = check(calls.socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
  const address = socketAddress(via, 0);
  check(calls.connect(fd, address, address.length));
  return fd;
}

/** A socket for ICMP with one peer: it hears nobody else. Its kernel fills in no checksum. */
export function openEcho(address: string): number {
  const fd = check(calls.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  const peer = socketAddress(address, 0);
  check(calls.connect(fd, peer, peer.length));
  return fd;
}

const dropped = Buffer.alloc(1);

/** Takes a packet from a raw socket, if there is one, and drops it. */
export function tryDropPacket(fd: number): boolean {
  const taken = calls.recv(fd, dropped, dropped.length, MSG_DONTWAIT);
  if (taken < 0 && koffi.errno() === EAGAIN) return false;
  check(taken);
  return true;
}

/** Packets of one size that lie in memory, ready to be sent by one system call. */
export interface PacketBatch {
  readonly packets: readonly Buffer[];
  /** Sends the first `count` packets, in order, until all are gone. */
  send(fd: number, count: number): void;
}

const MMSGHDR_BYTES = 64;
const IOVEC_BYTES = 16;

/** `struct mmsghdr[count]`, `struct iovec[count]` and the packets, in one piece that never moves nor goes away. */
export function packetBatch(count: number, packetBytes: number): PacketBatch {
  const length = count * (MMSGHDR_BYTES + IOVEC_BYTES + packetBytes);
  const memory = mmap(null, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
  const start = koffi.address(memory);
  const bytes = Buffer.from(koffi.view(memory, length));
  const vectors = count * MMSGHDR_BYTES;
  const firstPacket = vectors + count * IOVEC_BYTES;
  const packets = Array.from({ length: count }, (_, index) => {
    const [vector, packet] = [vectors + index * IOVEC_BYTES, firstPacket + index * packetBytes];
    // msg_iov and msg_iovlen; then iov_base and iov_len.
    bytes.writeBigUInt64LE(start + BigInt(vector), index * MMSGHDR_BYTES + 16);
    bytes.writeBigUInt64LE(1n, index * MMSGHDR_BYTES + 24);
    bytes.writeBigUInt64LE(start + BigInt(packet), vector);
    bytes.writeBigUInt64LE(BigInt(packetBytes), vector + 8);
    return bytes.subarray(packet, packet + packetBytes);
  });
  return {
    packets,
    send: (fd, wanted) => {
      for (let sent = 0; sent < wanted;) {
        sent += check(calls.sendmmsg(fd, start + BigInt(sent * MMSGHDR_BYTES), wanted - sent, 0));
      }
    },
  };
}
