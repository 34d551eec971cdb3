/**
 * Frames of one link, sent and received as they are on the wire (packet(7)), through npm `koffi`.
 *
 * Nothing waits in here: `receive` answers what has come, or nothing.
 */
import { closeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { KernelRefusal } from './kernel-refusal.ts';

const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK_CLOEXEC = 0o2004003;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_MR_MULTICAST = 0;
const PACKET_MR_UNICAST = 3;
const SOCKADDR_LL_BYTES = 20;
const MREQ_BYTES = 16;
const FPROG_BYTES = 16;
const INSTRUCTION_BYTES = 8;
const MOST_FRAME_BYTES = 2048;

/** One instruction of classic BPF: code, jump if true, jump if false, operand (linux/filter.h). */
export type FilterInstruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

export interface PacketSocketOptions {
  /** Index of a link in this thread's namespace. */
  readonly link: number;
  /** ETH_P_… */
  readonly protocol: number;
  /** Multicast MACs that the link is to hear while the socket is open, 6 bytes each. */
  readonly groups?: readonly Buffer[];
  /** MACs besides its own that the link is to take frames for meanwhile, 6 bytes each. */
  readonly stations?: readonly Buffer[];
  /** What is kept of all that comes: busy links would fill the buffer otherwise. */
  readonly filter?: readonly FilterInstruction[];
}

export interface PacketSocket {
  /** Sends a whole frame, Ethernet header and all. Throws KernelRefusal: ENETDOWN, ENXIO … */
  send(frame: Buffer): void;
  /** The next frame that has come; undefined while there is none. */
  receive(): Buffer | undefined;
  close(): void;
}

interface Calls {
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly bind: (fd: number, address: Buffer, bytes: number) => number;
  readonly send: (fd: number, frame: Buffer, bytes: number, flags: number) => number;
  readonly recv: (fd: number, into: Buffer, bytes: number, flags: number) => number;
  readonly setOption: (fd: number, level: number, option: number, value: Buffer, bytes: number) => number;
  readonly setFilter: (
    fd: number,
    level: number,
    option: number,
    value: { readonly len: number; readonly filter: Buffer },
    bytes: number,
  ) => number;
  readonly errno: () => number;
}

let loaded: Calls | undefined;

function calls(): Calls {
  return (loaded ??= load());
}

function load(): Calls {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  const program = koffi.pointer(koffi.struct({ len: 'uint16_t', filter: 'uint8_t *' }));
  return {
    socket: library.func('int socket(int family, int type, int protocol)'),
    bind: library.func('int bind(int fd, const void *address, uint32_t length)'),
    send: library.func('long send(int fd, const void *frame, size_t length, int flags)'),
    recv: library.func('long recv(int fd, void *frame, size_t length, int flags)'),
    setOption: library.func('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)'),
    setFilter: library.func('setsockopt', 'int', ['int', 'int', 'int', program, 'uint32_t']),
    errno: () => koffi.errno(),
  };
}

/** Opens a socket in this thread's namespace. Throws KernelRefusal. */
export function openPacketSocket({
  link,
  protocol,
  groups = [],
  stations = [],
  filter,
}: PacketSocketOptions): PacketSocket {
  const { socket, bind, send, recv, setOption, setFilter, errno } = calls();
  const check = (result: number): number => {
    if (result < 0) throw new KernelRefusal(errno());
    return result;
  };
  // Without a protocol it hears nothing until it is bound: no frame of another link gets in before.
  const fd = check(socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0));
  try {
    if (filter !== undefined) {
      const program = { len: filter.length, filter: Buffer.concat(filter.map(instruction)) };
      check(setFilter(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, FPROG_BYTES));
    }
    for (const member of [
      ...groups.map((group) => membership(link, PACKET_MR_MULTICAST, group)),
      ...stations.map((station) => membership(link, PACKET_MR_UNICAST, station)),
    ]) {
      check(setOption(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, member, MREQ_BYTES));
    }
    check(bind(fd, linkAddress(link, protocol), SOCKADDR_LL_BYTES));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const frame = Buffer.alloc(MOST_FRAME_BYTES);
  return {
    send: (bytes) => void check(send(fd, bytes, bytes.length, 0)),
    receive: () => {
      const length = recv(fd, frame, frame.length, 0);
      return length < 0 ? undefined : Buffer.from(frame.subarray(0, length));
    },
    close: () => {
      closeSync(fd);
    },
  };
}

/** `struct sock_filter` */
function instruction([code, ifTrue, ifFalse, operand]: FilterInstruction): Buffer {
  const bytes = Buffer.alloc(INSTRUCTION_BYTES);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(ifTrue, 2);
  bytes.writeUInt8(ifFalse, 3);
  bytes.writeUInt32LE(operand, 4);
  return bytes;
}

/** `struct packet_mreq` */
function membership(link: number, type: number, mac: Buffer): Buffer {
  const bytes = Buffer.alloc(MREQ_BYTES);
  bytes.writeInt32LE(link, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(mac.length, 6);
  mac.copy(bytes, 8);
  return bytes;
}

/** `struct sockaddr_ll` */
function linkAddress(link: number, protocol: number): Buffer {
  const bytes = Buffer.alloc(SOCKADDR_LL_BYTES);
  bytes.writeUInt16LE(AF_PACKET, 0);
  bytes.writeUInt16BE(protocol, 2);
  bytes.writeInt32LE(link, 4);
  return bytes;
}
