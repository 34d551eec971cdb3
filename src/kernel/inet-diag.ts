/**
 * Sockets in NETLINK_SOCK_DIAG's words: `struct inet_diag_req_v2`, `struct inet_diag_msg` (include/uapi/linux/inet_diag.h).
 */
import type { Family } from '../model/records.ts';
import { addressFamily, addressText } from './address-bytes.ts';
import { readAttributes, u32Of, u8Of } from './netlink-attribute.ts';
import type { NetlinkRequest } from './netlink-message.ts';

const SOCK_DIAG_BY_FAMILY = 20;
const REQUEST_BYTES = 56;
const MESSAGE_BYTES = 72;
const INET_DIAG_SKV6ONLY = 11;
const INET_DIAG_MARK = 15;
const TCP_CLOSE = 7;
const TCP_LISTEN = 10;

const IPPROTO = { tcp: 6, udp: 17 } as const;
/** A UDP socket without a peer is in state CLOSE. */
const STATE = { tcp: TCP_LISTEN, udp: TCP_CLOSE } as const;

export type DiagProtocol = keyof typeof IPPROTO;

/** A bound socket. */
export interface BoundSocket {
  readonly family: Family;
  readonly address: string;
  readonly port: number;
  readonly inode: number;
  /** An IPv6 socket that takes no IPv4 (IPV6_V6ONLY). */
  readonly ipv6Only: boolean;
  /** SO_MARK, where it is not 0 and the kernel tells it. */
  readonly mark?: number;
}

export function dumpBoundSockets(family: Family, protocol: DiagProtocol): NetlinkRequest {
  const payload = Buffer.alloc(REQUEST_BYTES);
  payload.writeUInt8(addressFamily(family), 0);
  payload.writeUInt8(IPPROTO[protocol], 1);
  payload.writeUInt32LE(1 << STATE[protocol], 4);
  return { type: SOCK_DIAG_BY_FAMILY, payload };
}

export function parseBoundSocket(payload: Buffer): BoundSocket {
  const family: Family = payload.readUInt8(0) === addressFamily(4) ? 4 : 6;
  const attributes = readAttributes(payload.subarray(MESSAGE_BYTES));
  const mark = u32Of(attributes, INET_DIAG_MARK) ?? 0;
  return {
    family,
    port: payload.readUInt16BE(4),
    address: addressText(payload.subarray(8, family === 4 ? 12 : 24)),
    inode: payload.readUInt32LE(68),
    ipv6Only: u8Of(attributes, INET_DIAG_SKV6ONLY) === 1,
    ...(mark === 0 ? {} : { mark }),
  };
}
