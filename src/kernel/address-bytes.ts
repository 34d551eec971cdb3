/**
 * Addresses between the text of the records and the bytes of the kernel: IPv4, IPv6 (RFC 4291, RFC 5952) and MAC.
 *
 * The records are validated at the edge; a text that is no address here is a bug of ours.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { TsnetError } from '../model/error.ts';
import type { Family } from '../model/records.ts';

/** An address with the length of its prefix, "172.17.0.2/16". */
export interface Prefix {
  readonly family: Family;
  readonly bytes: Buffer;
  readonly length: number;
}

const AF_INET = 2;
const AF_INET6 = 10;

/** The kernel's number of a family: AF_INET or AF_INET6. */
export function addressFamily(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/** 4 bytes of an IPv4 address or 16 of an IPv6 one, in network order. */
export function addressBytes(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  if (isIPv6(text) && !text.includes('%')) return ipv6Bytes(text);
  throw new TsnetError('INTERNAL', `"${text}" reached the kernel layer as an address and is none`);
}

function ipv6Bytes(text: string): Buffer {
  const [head = '', tail] = text.split('::');
  const before = groupBytes(head);
  const after = groupBytes(tail ?? '');
  return Buffer.concat([before, Buffer.alloc(16 - before.length - after.length), after]);
}

function groupBytes(groups: string): Buffer {
  if (groups === '') return Buffer.alloc(0);
  return Buffer.concat(
    groups
      .split(':')
      .map((group) =>
        group.includes('.')
          ? Buffer.from(group.split('.').map(Number))
          : Buffer.of(parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff),
      ),
  );
}

/** Canonical text of 4 or 16 bytes; "" for any other number of bytes. */
export function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return '';
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2));
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return `::ffff:${bytes.subarray(12).join('.')}`;
  const zeros = longestZeroRun(groups);
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (zeros.length < 2) return hex(groups);
  return `${hex(groups.slice(0, zeros.start))}::${hex(groups.slice(zeros.start + zeros.length))}`;
}

function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  groups.forEach((group, index) => {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: index - length + 1, length };
  });
  return best;
}

/** Parses "172.17.0.2/16" or "fd00::/64". */
export function parsePrefix(text: string): Prefix {
  const [address = '', length = ''] = text.split('/');
  const bytes = addressBytes(address);
  if (!/^\d{1,3}$/.test(length) || Number(length) > bytes.length * 8) {
    throw new TsnetError('INTERNAL', `"${text}" reached the kernel layer as address/length and is none`);
  }
  return { family: bytes.length === 4 ? 4 : 6, bytes, length: Number(length) };
}

/** The last address of an IPv4 prefix, where broadcasts go. */
export function broadcastBytes(prefix: Prefix): Buffer {
  const bytes = Buffer.from(prefix.bytes);
  const hostMask = prefix.length === 32 ? 0 : 0xffffffff >>> prefix.length;
  bytes.writeUInt32BE((bytes.readUInt32BE(0) | hostMask) >>> 0, 0);
  return bytes;
}

/** Bytes of "02:42:ac:11:00:02". */
export function macBytes(text: string): Buffer {
  const bytes = Buffer.from(text.split(':').map((octet) => parseInt(octet, 16)));
  if (bytes.length !== 6 || !/^[0-9a-f:]+$/i.test(text)) {
    throw new TsnetError('INTERNAL', `"${text}" reached the kernel layer as a MAC address and is none`);
  }
  return bytes;
}

/** "02:42:ac:11:00:02" */
export function macText(bytes: Buffer): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
