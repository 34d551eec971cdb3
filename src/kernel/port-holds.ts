/**
 * Ports held by sockets that are bound and do nothing else.
 *
 * A packet for a published port is led to its container before the kernel looks for a socket (DNAT in prerouting, and in output
 * for the host's own), so the socket never sees it. A held TCP port does not listen: what comes past the rules is refused, as
 * on a free port. A held UDP socket throws everything away. Both carry a mark by which every tsnet process knows them
 * (INET_DIAG_MARK) and does not take them for somebody else's.
 */
import { closeSync } from 'node:fs';
import { TsnetError } from '../model/error.ts';
import type { HeldPort } from '../plan/watch.ts';
import { addressBytes } from './address-bytes.ts';
import { raised } from './high-descriptor.ts';
import { errorCode, refused } from './kernel-refusal.ts';
import { SOCK_NONBLOCK_CLOEXEC, watchLibc } from './watch-libc.ts';

/** SO_MARK of held sockets: "tsnt". They send nothing, so no rule ever meets it. */
export const HELD_MARK = 0x74736e74;

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_MARK = 36;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
/** BPF_RET | BPF_K, 0: drop. */
const DROP_EVERYTHING = Buffer.from([0x06, 0, 0, 0, 0, 0, 0, 0]);

/** In the namespace of the calling thread. Throws TsnetError PORT_TAKEN where somebody else has the port. */
export function holdPort({ protocol, address, port }: HeldPort): () => void {
  const libc = watchLibc();
  const isV6 = address.includes(':');
  const attempt = `hold ${protocol} port ${port} of ${address}`;
  let fd: number;
  try {
    const type = protocol === 'tcp' ? SOCK_STREAM : SOCK_DGRAM;
    fd = libc.socket(isV6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK_CLOEXEC, 0);
  } catch (error) {
    throw refused(attempt, error);
  }
  try {
    // The marks and the filter come first: from bind(2) on the socket is seen.
    libc.setOption(fd, SOL_SOCKET, SO_MARK, number(HELD_MARK));
    if (isV6) libc.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, number(1));
    if (protocol === 'udp') libc.attachFilter(fd, DROP_EVERYTHING);
    libc.bind(fd, socketAddress(address, port));
  } catch (error) {
    closeSync(fd);
    if (errorCode(error) !== 'EADDRINUSE') throw refused(attempt, error);
    throw new TsnetError('PORT_TAKEN', `${attempt}: another program has it`, { cause: error });
  }
  const held = raised(fd);
  return () => {
    closeSync(held);
  };
}

/** `struct sockaddr_in`, `struct sockaddr_in6` */
function socketAddress(address: string, port: number): Buffer {
  const isV6 = address.includes(':');
  const bytes = Buffer.alloc(isV6 ? 28 : 16);
  bytes.writeUInt16LE(isV6 ? AF_INET6 : AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  addressBytes(address).copy(bytes, isV6 ? 8 : 4);
  return bytes;
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value, 0);
  return bytes;
}
