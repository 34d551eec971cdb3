/**
 * The address pool of IPv6 networks that name no subnet: a Unique Local /48 of our own (RFC 4193), cut to /64.
 *
 * The 40 bits of its global id are a hash of what makes this installation unique, so it stays the same for good and
 * two hosts hardly ever share it.
 */
import { createHash } from 'node:crypto';
import type { AddressPool } from '../model/config.ts';
import { formatPrefix, prefixAround } from '../model/address.ts';

/** `seed`: any text that is this installation's own. */
export function ulaPool(seed: string): AddressPool {
  const globalId = createHash('sha256').update(seed).digest().subarray(-5);
  const value = BigInt(`0xfd${globalId.toString('hex')}`) << 80n;
  return { base: formatPrefix(prefixAround({ family: 6, value }, 48)), size: 64 };
}
