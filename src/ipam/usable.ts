/**
 * Which addresses of a pool a container may get.
 */
import {
  broadcastOf,
  contains,
  formatAddress,
  formatPrefix,
  parseAddress,
  parsePrefix,
  type Address,
  type Prefix,
} from '../model/address.ts';
import type { Pool } from '../model/records.ts';

/** Addresses from `first` to `last`, inclusive. */
export interface Span {
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * The subnet without its network and broadcast address (IPv4), without the subnet-router anycast address, its first
 * (IPv6, RFC 4291 2.6.1). The two smallest sizes have none of these (RFC 3021, RFC 6164).
 */
export function hostSpan({ family, length, first, last }: Prefix): Span {
  const bits = family === 4 ? 32 : 128;
  if (length >= bits - 1) return { first, last };
  return { first: first + 1n, last: family === 4 ? last - 1n : last };
}

/** Where dynamic addresses come from: the hosts of the subnet that lie in the pool's range. */
export function dynamicSpan(pool: Pool): Span {
  const hosts = hostSpan(parsePrefix(pool.subnet));
  if (pool.range === undefined) return hosts;
  const range = parsePrefix(pool.range);
  return {
    first: range.first > hosts.first ? range.first : hosts.first,
    last: range.last < hosts.last ? range.last : hosts.last,
  };
}

/** Addresses of the pool that belong to somebody already, with who that is. */
export function reservations(pool: Pool): Map<bigint, string> {
  const reserved = new Map<bigint, string>();
  for (const [name, address] of Object.entries(pool.aux)) {
    reserved.set(parseAddress(address).value, `aux address "${name}"`);
  }
  if (pool.route !== undefined) reserved.set(parseAddress(pool.route).value, 'the default gateway');
  if (pool.gateway !== undefined) reserved.set(parseAddress(pool.gateway).value, 'the gateway');
  return reserved;
}

/** Why no host may have this address of the subnet, if so. */
export function hostProblem(subnet: Prefix, address: Address): string | undefined {
  const text = formatAddress(address);
  if (!contains(subnet, address)) return `${text} is outside subnet ${formatPrefix(subnet)}`;
  const hosts = hostSpan(subnet);
  if (address.value >= hosts.first && address.value <= hosts.last) return undefined;
  if (broadcastOf(subnet)?.value === address.value)
    return `${text} is the broadcast address of ${formatPrefix(subnet)}`;
  return subnet.family === 4
    ? `${text} is the network address of ${formatPrefix(subnet)}`
    : `${text} is the subnet-router anycast address of ${formatPrefix(subnet)}`;
}
