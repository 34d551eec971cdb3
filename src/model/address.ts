/**
 * Addresses and prefixes as bigint arithmetic: the one module that computes on them.
 *
 * An IPv4-mapped address ("::ffff:10.0.0.1") is that IPv4 address, wherever one is typed. IPv6 is printed as RFC 5952 says.
 * Numbers with leading zeros ("010"), short forms ("10.1") and zones ("%eth0") are refused: programs disagree on them.
 * What a person types as a subnet goes through `cidr.ts` first, which asks ip-cidr; this file stays cheap to load.
 */
import { TsnetError } from './error.ts';
import type { Family } from './records.ts';

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** All addresses that share their first `length` bits, `first` to `last` inclusive. */
export interface Prefix {
  readonly family: Family;
  readonly length: number;
  readonly first: bigint;
  readonly last: bigint;
}

/** An address with the length of its subnet, "192.168.1.5/24". */
export interface InterfaceAddress {
  readonly address: Address;
  readonly prefix: Prefix;
}

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/;
const MAPPED = 0xffffn;

export function bitsOf(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

function readIPv4(text: string): bigint | undefined {
  const parts = IPV4.exec(text)?.slice(1);
  if (parts === undefined) return undefined;
  let value = 0;
  for (const part of parts) {
    const byte = Number(part);
    if (byte > 255 || (part.length > 1 && part.startsWith('0'))) return undefined;
    value = value * 256 + byte;
  }
  return BigInt(value);
}

/** The groups of one side of "::"; undefined when one of them is not a group. */
function readGroups(side: string): string[] | undefined {
  if (side === '') return [];
  const groups = side.split(':');
  return groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group)) ? groups : undefined;
}

/** "64:ff9b::192.0.2.1" → "64:ff9b::c000:201". */
function withoutDottedTail(text: string): string | undefined {
  if (!text.includes('.')) return text;
  const tail = text.lastIndexOf(':') + 1;
  const value = readIPv4(text.slice(tail));
  if (value === undefined || tail === 0) return undefined;
  return `${text.slice(0, tail)}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

function readIPv6(text: string): bigint | undefined {
  const halves = withoutDottedTail(text)?.split('::');
  if (halves === undefined || halves.length > 2) return undefined;
  const head = readGroups(halves[0] ?? '');
  const tail = halves.length === 2 ? readGroups(halves[1] ?? '') : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail];
  return BigInt(`0x${groups.map((group) => group.padStart(4, '0')).join('')}`);
}

function readAddress(text: string): Address | undefined {
  const value4 = readIPv4(text);
  if (value4 !== undefined) return { family: 4, value: value4 };
  const value6 = text.includes(':') ? readIPv6(text) : undefined;
  if (value6 === undefined) return undefined;
  return value6 >> 32n === MAPPED ? { family: 4, value: value6 & 0xffffffffn } : { family: 6, value: value6 };
}

function invalid(what: string, text: string, expected: string): TsnetError {
  return new TsnetError('INVALID', `"${text}" is not ${what}; expected ${expected}`);
}

/** @throws TsnetError INVALID */
export function parseAddress(text: string): Address {
  const address = readAddress(text);
  if (address === undefined) throw invalid('an IP address', text, 'one such as 192.0.2.7 or 2001:db8::7');
  return address;
}

export function isAddress(text: string): boolean {
  return readAddress(text) !== undefined;
}

function formatIPv4(value: bigint): string {
  const number = Number(value);
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
}

function formatIPv6(value: bigint): string {
  if (value >> 32n === MAPPED) return `::ffff:${formatIPv4(value & 0xffffffffn)}`;
  const hex = value.toString(16).padStart(32, '0');
  const groups = Array.from({ length: 8 }, (_, index) =>
    parseInt(hex.slice(index * 4, index * 4 + 4), 16).toString(16),
  );
  // RFC 5952, 4.2: the longest run of zeros, the first of equals, never a single group.
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === '0') length++;
    if (length > best.length) best = { start, length };
  }
  if (best.length === 1) return groups.join(':');
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`;
}

/** Canonical text. */
export function formatAddress({ family, value }: Address): string {
  return family === 4 ? formatIPv4(value) : formatIPv6(value);
}

/** @throws TsnetError INVALID */
export function canonicalAddress(text: string): string {
  return formatAddress(parseAddress(text));
}

/** Family of an address, prefix or interface address that was parsed before: looks at one character, checks nothing. */
export function familyOf(text: string): Family {
  return text.includes(':') ? 6 : 4;
}

/** The prefix of this length that holds the address. */
export function prefixAround({ family, value }: Address, length: number): Prefix {
  const hostBits = BigInt(bitsOf(family) - length);
  const first = (value >> hostBits) << hostBits;
  return { family, length, first, last: first + (1n << hostBits) - 1n };
}

/**
 * Reads "192.168.1.5/24": host bits allowed.
 * @throws TsnetError INVALID
 */
export function parseInterface(text: string): InterfaceAddress {
  const slash = text.indexOf('/');
  const host = text.slice(0, slash);
  const address = slash < 0 ? undefined : readAddress(host);
  const lengthText = text.slice(slash + 1);
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(lengthText)) {
    throw invalid('an address with a prefix length', text, 'one such as 192.168.1.5/24 or fd00::5/64');
  }
  if (address.family !== familyOf(host)) {
    throw invalid('an address with a prefix length', text, 'the IPv4 address itself, not its IPv4-mapped form');
  }
  const length = Number(lengthText);
  const bits = bitsOf(address.family);
  if (length > bits) throw invalid('an address with a prefix length', text, `a length of at most ${bits}`);
  return { address, prefix: prefixAround(address, length) };
}

/**
 * Reads "10.0.0.0/8": host bits must be zero.
 * @throws TsnetError INVALID
 */
export function parsePrefix(text: string): Prefix {
  const { address, prefix } = parseInterface(text);
  if (address.value !== prefix.first) {
    throw invalid('a subnet', text, `no host bits set: ${formatPrefix(prefix)}`);
  }
  return prefix;
}

export function formatPrefix({ family, first, length }: Prefix): string {
  return `${formatAddress({ family, value: first })}/${length}`;
}

export function formatInterface({ address, prefix }: InterfaceAddress): string {
  return `${formatAddress(address)}/${prefix.length}`;
}

/** "192.168.1.5/24" → "192.168.1.0/24". */
export function networkOf(interfaceText: string): string {
  return formatPrefix(parseInterface(interfaceText).prefix);
}

/** "192.168.1.5/24" → "192.168.1.5"; of what was parsed before. */
export function withoutLength(interfaceText: string): string {
  const slash = interfaceText.indexOf('/');
  return slash < 0 ? interfaceText : interfaceText.slice(0, slash);
}

/** "10.0.0.1" → "10.0.0.1/32"; of an address that was parsed before. */
export function hostPrefix(address: string): string {
  return `${address}/${bitsOf(familyOf(address))}`;
}

/** The IPv4 broadcast address; IPv6 and the two smallest IPv4 subnets (RFC 3021) have none. */
export function broadcastOf({ family, length, last }: Prefix): Address | undefined {
  return family === 4 && length <= 30 ? { family, value: last } : undefined;
}

export function contains(prefix: Prefix, address: Address): boolean {
  return prefix.family === address.family && prefix.first <= address.value && address.value <= prefix.last;
}

/** Whether `inner` lies wholly in `outer`; a prefix contains itself. */
export function containsPrefix(outer: Prefix, inner: Prefix): boolean {
  return outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last;
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}
