/**
 * Addresses between the text of the records and the bytes of the kernel, in network order.
 */
import { bitsOf, broadcastOf, formatAddress, parseAddress, parseInterface, prefixAround } from '../model/address.ts';
import type { Family } from '../model/records.ts';

/** An address with the length of its prefix, "172.17.0.2/16"; host bits may be set. */
export interface PrefixBytes {
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

/**
 * 4 bytes of an IPv4 address or 16 of an IPv6 one.
 * @throws TsnetError INVALID
 */
export function addressBytes(text: string): Buffer {
  const { family, value } = parseAddress(text);
  return bytesOf(family, value);
}

function bytesOf(family: Family, value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(bitsOf(family) / 4, '0'), 'hex');
}

function valueOf(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`);
}

/** Canonical text of 4 or 16 bytes; "" for any other number of bytes. */
export function addressText(bytes: Buffer): string {
  if (bytes.length !== 4 && bytes.length !== 16) return '';
  return formatAddress({ family: bytes.length === 4 ? 4 : 6, value: valueOf(bytes) });
}

/**
 * Parses "172.17.0.2/16" or "fd00::/64".
 * @throws TsnetError INVALID
 */
export function prefixBytes(text: string): PrefixBytes {
  const { address, prefix } = parseInterface(text);
  return { family: address.family, bytes: bytesOf(address.family, address.value), length: prefix.length };
}

/** Where broadcasts of an IPv4 subnet go; undefined for IPv6 and for point-to-point prefixes (RFC 3021). */
export function broadcastBytes({ family, bytes, length }: PrefixBytes): Buffer | undefined {
  const broadcast = broadcastOf(prefixAround({ family, value: valueOf(bytes) }, length));
  return broadcast === undefined ? undefined : bytesOf(family, broadcast.value);
}
