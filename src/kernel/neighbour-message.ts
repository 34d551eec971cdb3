/** Neighbours in rtnetlink's words: `struct ndmsg` and the NDA_ attributes (include/uapi/linux/neighbour.h). */
import { formatMac, macBytes } from '../model/mac.ts';
import type { Family } from '../model/records.ts';
import { addressBytes, addressFamily, addressText } from './address-bytes.ts';
import { attribute, readAttributes, u32Attribute } from './netlink-attribute.ts';
import { NLM_F_CREATE, NLM_F_REPLACE, type NetlinkRequest } from './netlink-message.ts';

const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
const HEADER_BYTES = 12;
const NUD_PERMANENT = 0x80;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_IFINDEX = 8;

/** A neighbour as the kernel shows it. */
export interface Neighbour {
  readonly link: number;
  readonly address: string;
  readonly mac: string;
  readonly permanent: boolean;
}

/** Sets a permanent neighbour, whatever was known of the address. */
export function setNeighbour(link: number, address: string, mac: string): NetlinkRequest {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    payload: Buffer.concat([head(link, address), attribute(NDA_LLADDR, Buffer.from(macBytes(mac)))]),
  };
}

export function deleteNeighbour(link: number, address: string): NetlinkRequest {
  return { type: RTM_DELNEIGH, payload: head(link, address) };
}

/** One neighbour; ENOENT where there is none. Linux 5.0. */
export function getNeighbour(link: number, address: string): NetlinkRequest {
  return { type: RTM_GETNEIGH, payload: head(link, address, 0) };
}

/** Neighbours on one link; where the socket does not filter, all there are. */
export function dumpNeighbours(family: Family, link: number): NetlinkRequest {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt8(addressFamily(family), 0);
  return { type: RTM_GETNEIGH, payload: Buffer.concat([bytes, u32Attribute(NDA_IFINDEX, link)]) };
}

function head(link: number, address: string, state = NUD_PERMANENT): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt8(addressFamily(address.includes(':') ? 6 : 4), 0);
  bytes.writeInt32LE(link, 4);
  bytes.writeUInt16LE(state, 8);
  return Buffer.concat([bytes, attribute(NDA_DST, addressBytes(address))]);
}

export function parseNeighbour(payload: Buffer): Neighbour {
  const attributes = readAttributes(payload.subarray(HEADER_BYTES));
  return {
    link: payload.readInt32LE(4),
    address: addressText(attributes.get(NDA_DST) ?? Buffer.alloc(0)),
    mac: formatMac(attributes.get(NDA_LLADDR) ?? Buffer.alloc(0)),
    permanent: (payload.readUInt16LE(8) & NUD_PERMANENT) !== 0,
  };
}
