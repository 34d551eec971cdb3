/**
 * Addresses of links in rtnetlink's words: `struct ifaddrmsg` and the IFA_ attributes (include/uapi/linux/if_addr.h).
 */
import type { Family } from '../model/records.ts';
import { addressFamily, addressText, broadcastBytes, type PrefixBytes } from './address-bytes.ts';
import { attribute, blank, readAttributes } from './netlink-attribute.ts';
import { NLM_F_CREATE, NLM_F_EXCL, type NetlinkRequest } from './netlink-message.ts';

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const HEADER_BYTES = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_F_NODAD = 0x02;

export interface LinkAddress {
  readonly family: Family;
  readonly link: number;
  readonly address: string;
  readonly length: number;
}

export function addAddress(link: number, prefix: PrefixBytes): NetlinkRequest {
  const broadcast = broadcastBytes(prefix);
  const attributes = [
    attribute(IFA_LOCAL, prefix.bytes),
    attribute(IFA_ADDRESS, prefix.bytes),
    ...(broadcast === undefined ? [] : [attribute(IFA_BROADCAST, broadcast)]),
  ];
  const flags = prefix.family === 6 ? IFA_F_NODAD : 0;
  const payload = Buffer.concat([header(prefix.family, prefix.length, flags, link), ...attributes]);
  return { type: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_EXCL, payload };
}

export function deleteAddress(link: number, prefix: PrefixBytes): NetlinkRequest {
  const head = header(prefix.family, prefix.length, 0, link);
  return { type: RTM_DELADDR, payload: Buffer.concat([head, attribute(IFA_LOCAL, prefix.bytes)]) };
}

/** The addresses of one link, or of all links (0). Old kernels ignore `link`, so the answers are to be filtered. */
export function dumpAddresses(family: Family, link: number): NetlinkRequest {
  return { type: RTM_GETADDR, payload: header(family, 0, 0, link) };
}

function header(family: Family, length: number, flags: number, link: number): Buffer {
  const bytes = blank(HEADER_BYTES);
  bytes.writeUInt8(addressFamily(family), 0);
  bytes.writeUInt8(length, 1);
  bytes.writeUInt8(flags, 2);
  bytes.writeUInt32LE(link, 4);
  return bytes;
}

export function parseAddress(payload: Buffer): LinkAddress {
  const attributes = readAttributes(payload.subarray(HEADER_BYTES));
  return {
    family: payload.readUInt8(0) === addressFamily(4) ? 4 : 6,
    link: payload.readUInt32LE(4),
    // On point-to-point links IFA_ADDRESS is the other end's; IFA_LOCAL is absent for most IPv6 addresses.
    address: addressText(attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS) ?? Buffer.alloc(0)),
    length: payload.readUInt8(1),
  };
}
