/**
 * Entries of a VXLAN device's forwarding table in rtnetlink's words: neighbours of family AF_BRIDGE that belong to the device itself
 * (NTF_SELF), not to a bridge that it is a port of (include/uapi/linux/neighbour.h).
 */
import { formatMac, macBytes } from '../model/mac.ts';
import { addressBytes, addressText } from './address-bytes.ts';
import { attribute, blank, readAttributes } from './netlink-attribute.ts';
import { NLM_F_CREATE, NLM_F_REPLACE, type NetlinkRequest } from './netlink-message.ts';

const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
const HEADER_BYTES = 12;
const AF_BRIDGE = 7;
const NUD_PERMANENT = 0x80;
const NTF_SELF = 2;
const NTF_MASTER = 4;
const NDA_DST = 1;
const NDA_LLADDR = 2;

/** An entry as the kernel shows it. */
export interface FdbEntry {
  readonly link: number;
  readonly mac: string;
  /** Underlay address of the host behind which the MAC lives. */
  readonly vtep: string;
  readonly permanent: boolean;
}

/** Sets where a MAC lives, whatever was known of it. */
export function setFdb(link: number, mac: string, vtep: string): NetlinkRequest {
  return {
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    payload: Buffer.concat([head(link, NUD_PERMANENT), macAttribute(mac), attribute(NDA_DST, addressBytes(vtep))]),
  };
}

/** Forgets that the MAC lives there; ENOENT where it is known to live elsewhere. */
export function deleteFdb(link: number, mac: string, vtep: string): NetlinkRequest {
  return {
    type: RTM_DELNEIGH,
    payload: Buffer.concat([head(link, NUD_PERMANENT), macAttribute(mac), attribute(NDA_DST, addressBytes(vtep))]),
  };
}

/** Forgets that the bridge of a link has seen the MAC there; ENOENT where it has not, or elsewhere. */
export function deleteLearned(link: number, mac: string): NetlinkRequest {
  const bytes = head(link, 0);
  bytes.writeUInt8(NTF_MASTER, 10);
  return { type: RTM_DELNEIGH, payload: Buffer.concat([bytes, macAttribute(mac)]) };
}

/** One entry; ENOENT where there is none. Linux 5.0. */
export function getFdb(link: number, mac: string): NetlinkRequest {
  return { type: RTM_GETNEIGH, payload: Buffer.concat([head(link, 0), macAttribute(mac)]) };
}

/** All entries of a link, those of its bridge among them, which `parseFdb` leaves out. */
export function dumpFdb(link: number): NetlinkRequest {
  const bytes = blank(HEADER_BYTES);
  bytes.writeUInt8(AF_BRIDGE, 0);
  bytes.writeInt32LE(link, 4);
  return { type: RTM_GETNEIGH, payload: bytes };
}

/** Undefined for an entry of the bridge, or one that leads to no host. */
export function parseFdb(payload: Buffer): FdbEntry | undefined {
  const attributes = readAttributes(payload.subarray(HEADER_BYTES));
  const [mac, vtep] = [attributes.get(NDA_LLADDR), attributes.get(NDA_DST)];
  if ((payload.readUInt8(10) & NTF_SELF) === 0 || mac === undefined || vtep === undefined) return undefined;
  return {
    link: payload.readInt32LE(4),
    mac: formatMac(mac),
    vtep: addressText(vtep),
    permanent: (payload.readUInt16LE(8) & NUD_PERMANENT) !== 0,
  };
}

function head(link: number, state: number): Buffer {
  const bytes = blank(HEADER_BYTES);
  bytes.writeUInt8(AF_BRIDGE, 0);
  bytes.writeInt32LE(link, 4);
  bytes.writeUInt16LE(state, 8);
  bytes.writeUInt8(NTF_SELF, 10);
  return bytes;
}

function macAttribute(mac: string): Buffer {
  return attribute(NDA_LLADDR, Buffer.from(macBytes(mac)));
}
