/**
 * A netlink socket that hears what the kernel tells everybody: multicast groups of the host's namespace and of every namespace
 * that has an id in it (NETLINK_LISTEN_ALL_NSID, since Linux 4.2).
 *
 * No socket is opened inside a sandbox: it would keep the namespace alive after its last process. Which namespace an event
 * comes from is told in ancillary data, which npm `netlink` does not read. So there are two sockets with the same
 * memberships: the package's wakes the event loop, ours is read.
 */
import { closeSync } from 'node:fs';
import { errorCode, refused } from './kernel-refusal.ts';
import { openListeningSocket, type NetlinkProtocol, PROTOCOL_NUMBERS } from './netlink-socket.ts';
import { SOCK_NONBLOCK_CLOEXEC, watchLibc } from './watch-libc.ts';

export interface MulticastSocketOptions {
  readonly protocol: NetlinkProtocol;
  /** RTNLGRP_…, NFNLGRP_… */
  readonly groups: readonly number[];
  /** The only message type that is wanted; the kernel throws the others away. Absent: all. */
  readonly onlyType?: number;
  /** One message, header and all, good until the call returns; `nsid` is undefined for the host's own. */
  readonly onMessage: (message: Buffer, nsid: number | undefined) => void;
  /** Absent: 8 MiB, some 4,000 links that come at once. */
  readonly bufferBytes?: number;
  /** Messages were lost: whatever was told may have happened. */
  readonly onLost: () => void;
}

export interface MulticastSocket {
  close(): void;
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_NO_ENOBUFS = 5;
const NETLINK_LISTEN_ALL_NSID = 8;
const SOCKADDR_BYTES = 12;
const HEADER_BYTES = 16;
const RECEIVE_BUFFER_BYTES = 8 << 20;

/** Throws TsnetError. */
export function openMulticastSocket({
  protocol,
  groups,
  onlyType,
  onMessage,
  onLost,
  bufferBytes = RECEIVE_BUFFER_BYTES,
}: MulticastSocketOptions): MulticastSocket {
  const libc = watchLibc();
  let fd: number;
  try {
    fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK_CLOEXEC, PROTOCOL_NUMBERS[protocol]);
  } catch (error) {
    throw refused('open a netlink socket', error);
  }
  const prepare = (socket: number): void => {
    if (onlyType !== undefined) attachFilter(socket, onlyType);
    libc.setOption(socket, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, number(1));
  };
  try {
    const address = Buffer.alloc(SOCKADDR_BYTES);
    address.writeUInt16LE(AF_NETLINK, 0);
    libc.setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, number(bufferBytes));
    prepare(fd);
    libc.bind(fd, address);
    for (const group of groups) libc.setOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, number(group));
  } catch (error) {
    closeSync(fd);
    throw refused('listen to what the kernel tells', error);
  }

  let closed = false;
  const drain = (): void => {
    while (!closed) {
      let datagram: ReturnType<typeof libc.receive>;
      try {
        datagram = libc.receive(fd);
      } catch (error) {
        onLost();
        // The buffer was full: what is in it is there to be read.
        if (errorCode(error) === 'ENOBUFS') continue;
        return;
      }
      if (datagram === undefined) return;
      if (datagram.port !== 0) continue;
      for (const message of messagesOf(datagram.bytes)) onMessage(message, datagram.nsid);
    }
  };
  let planned: NodeJS.Immediate | undefined;
  const plan = (): void => {
    planned ??= setImmediate(() => {
      planned = undefined;
      drain();
    });
  };
  // Never inside the package's native callback, where an exception ends the process.
  const waker = openListeningSocket(protocol, {
    groups,
    prepare: (socket) => {
      prepare(socket);
      // What it loses ours has, or tells of.
      libc.setOption(socket, SOL_NETLINK, NETLINK_NO_ENOBUFS, number(1));
    },
    onReadable: plan,
  });
  return {
    close: () => {
      if (closed) return;
      closed = true;
      clearImmediate(planned);
      waker.close();
      closeSync(fd);
    },
  };
}

function* messagesOf(datagram: Buffer): Iterable<Buffer> {
  for (let at = 0; at + HEADER_BYTES <= datagram.length;) {
    const length = datagram.readUInt32LE(at);
    if (length < HEADER_BYTES || at + length > datagram.length) return;
    yield datagram.subarray(at, at + length);
    at += (length + 3) & ~3;
  }
}

/** A classic BPF program: lets messages of one type through (`nlmsg_type`, two bytes at 4, which BPF reads big-endian). */
function attachFilter(fd: number, type: number): void {
  const program = Buffer.alloc(4 * 8);
  const instructions: readonly (readonly [code: number, jumpTrue: number, jumpFalse: number, value: number])[] = [
    [0x28, 0, 0, 4],
    [0x15, 0, 1, ((type & 0xff) << 8) | (type >> 8)],
    [0x06, 0, 0, 0xffffffff],
    [0x06, 0, 0, 0],
  ];
  for (const [index, [code, jumpTrue, jumpFalse, value]] of instructions.entries()) {
    program.writeUInt16LE(code, index * 8);
    program.writeUInt8(jumpTrue, index * 8 + 2);
    program.writeUInt8(jumpFalse, index * 8 + 3);
    program.writeUInt32LE(value, index * 8 + 4);
  }
  watchLibc().attachFilter(fd, program);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value, 0);
  return bytes;
}
