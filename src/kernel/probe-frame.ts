/**
 * The frames that ask a segment whether somebody has an address, and what others' frames tell of it.
 *
 * IPv4: ARP probes (RFC 5227, 2.1.1). IPv6: neighbour solicitations as in duplicate address detection (RFC 4862, 5.4.2).
 */
import { formatMac } from '../model/mac.ts';
import { addressBytes, addressText } from './address-bytes.ts';
import type { FilterInstruction } from './packet-socket.ts';

export const ETH_P_ARP = 0x0806;
export const ETH_P_IPV6 = 0x86dd;
const ETHERNET_BYTES = 14;
const ARP_BYTES = 28;
const IPV6_BYTES = 40;
const ICMPV6 = 58;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;
const SOLICITATION_BYTES = 24;
const HOP_LIMIT = 255;
/** Offsets in a frame. */
const NEXT_HEADER = ETHERNET_BYTES + 6;
const ICMP = ETHERNET_BYTES + IPV6_BYTES;
const TARGET = ICMP + 8;
const OPTIONS = ICMP + SOLICITATION_BYTES;
const TARGET_MAC_OPTION = 2;
const BROADCAST = Buffer.alloc(6, 0xff);
const ALL_NODES = Buffer.from('333300000001', 'hex');

/** Somebody's frame about an address: `claims` it, or `asks` for it as we do. */
export interface Sighting {
  readonly address: string;
  readonly mac: string;
  readonly says: 'claims' | 'asks';
}

/** Lets through ICMPv6 solicitations and advertisements: BPF_LD|B|ABS, BPF_JMP|JEQ, BPF_RET. */
export const NEIGHBOUR_DISCOVERY: readonly FilterInstruction[] = [
  [0x30, 0, 0, NEXT_HEADER],
  [0x15, 0, 4, ICMPV6],
  [0x30, 0, 0, ICMP],
  [0x15, 1, 0, SOLICITATION],
  [0x15, 0, 1, ADVERTISEMENT],
  [0x06, 0, 0, 0xffff],
  [0x06, 0, 0, 0],
];

/** Who has `address`? Sent from no address, so that nobody's cache changes. `mac`: 6 bytes. */
export function probeFrame(address: string, mac: Buffer): Buffer {
  return address.includes(':') ? solicitation(addressBytes(address), mac) : arpProbe(addressBytes(address), mac);
}

/** Groups whose frames tell of an IPv6 address: all nodes, and its solicited-node group (RFC 4291, 2.7.1). */
export function groupsOf(address: string): readonly Buffer[] {
  return [ALL_NODES, solicitedNode(addressBytes(address))];
}

function solicitedNode(target: Buffer): Buffer {
  return Buffer.concat([Buffer.from('3333ff', 'hex'), target.subarray(13)]);
}

function arpProbe(target: Buffer, mac: Buffer): Buffer {
  const arp = Buffer.alloc(ARP_BYTES);
  arp.write('0001080006040001', 0, 'hex');
  mac.copy(arp, 8);
  target.copy(arp, 24);
  return Buffer.concat([ethernet(BROADCAST, mac, ETH_P_ARP), arp]);
}

function solicitation(target: Buffer, mac: Buffer): Buffer {
  const header = Buffer.alloc(IPV6_BYTES);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(SOLICITATION_BYTES, 4);
  header.writeUInt8(ICMPV6, 6);
  header.writeUInt8(HOP_LIMIT, 7);
  Buffer.from('ff0200000000000000000001ff', 'hex').copy(header, 24);
  target.copy(header, 37, 13);
  const message = Buffer.alloc(SOLICITATION_BYTES);
  message.writeUInt8(SOLICITATION, 0);
  target.copy(message, 8);
  message.writeUInt16BE(checksum(header, message), 2);
  return Buffer.concat([ethernet(solicitedNode(target), mac, ETH_P_IPV6), header, message]);
}

/** Of the pseudo-header and the message (RFC 4443, 2.3). */
function checksum(header: Buffer, message: Buffer): number {
  let sum = message.length + ICMPV6;
  for (const bytes of [header.subarray(8), message]) {
    for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function ethernet(to: Buffer, from: Buffer, type: number): Buffer {
  const bytes = Buffer.alloc(ETHERNET_BYTES);
  to.copy(bytes, 0);
  from.copy(bytes, 6);
  bytes.writeUInt16BE(type, 12);
  return bytes;
}

/** What a frame says of an address, if it says anything. */
export function sightingIn(frame: Buffer): Sighting | undefined {
  if (frame.length < ETHERNET_BYTES) return undefined;
  const type = frame.readUInt16BE(12);
  if (type === ETH_P_ARP) return arpSighting(frame.subarray(ETHERNET_BYTES));
  return type === ETH_P_IPV6 ? discoverySighting(frame) : undefined;
}

function arpSighting(arp: Buffer): Sighting | undefined {
  if (arp.length < ARP_BYTES || arp.toString('hex', 0, 6) !== '000108000604') return undefined;
  const mac = formatMac(arp.subarray(8, 14));
  const sender = arp.subarray(14, 18);
  return sender.equals(Buffer.alloc(4))
    ? { address: addressText(arp.subarray(24, 28)), mac, says: 'asks' }
    : { address: addressText(sender), mac, says: 'claims' };
}

function discoverySighting(frame: Buffer): Sighting | undefined {
  if (frame.length < OPTIONS || frame.readUInt8(NEXT_HEADER) !== ICMPV6) return undefined;
  // From a router's far side it would have lost hops (RFC 4861, 7.1).
  if (frame.readUInt8(ETHERNET_BYTES + 7) !== HOP_LIMIT) return undefined;
  const address = addressText(frame.subarray(TARGET, TARGET + 16));
  const source = formatMac(frame.subarray(6, 12));
  if (frame.readUInt8(ICMP) === ADVERTISEMENT) {
    const option = frame.subarray(OPTIONS);
    const told = option.length >= 8 && option.readUInt8(0) === TARGET_MAC_OPTION;
    return { address, mac: told ? formatMac(option.subarray(2, 8)) : source, says: 'claims' };
  }
  const unspecified = frame.subarray(ETHERNET_BYTES + 8, ETHERNET_BYTES + 24).equals(Buffer.alloc(16));
  return unspecified ? { address, mac: source, says: 'asks' } : undefined;
}
