/**
 * Which subnet a new network gets: the first free block of the address pools.
 *
 * Blocks that overlap a route of the host are passed over: containers there would cut the host off from what the route
 * leads to, a VPN or the office LAN. Default routes are no reason, nor the halves that VPNs write in their place.
 */
import { bitsOf, familyOf, formatPrefix, parsePrefix, prefixAround, type Prefix } from '../model/address.ts';
import type { AddressPool } from '../model/config.ts';
import { TsnetError } from '../model/error.ts';
import type { Family } from '../model/records.ts';

/** Where the predefined network lives unless `bip` says otherwise. */
export const DEFAULT_BRIDGE_SUBNET = '172.17.0.0/16';

/** A subnet and who has it. */
export interface UsedSubnet {
  readonly network: string;
  readonly subnet: string;
}

export interface ChoosePoolInput {
  readonly family: Family;
  /** `default-address-pools`; those of the other family are passed over. */
  readonly pools: readonly AddressPool[];
  readonly used: readonly UsedSubnet[];
  /** Prefixes of the host's routes. */
  readonly avoid: readonly string[];
  /** Wanted length ("any block of this size", Docker's 0.0.0.0/N); absent: each pool's own. */
  readonly length?: number;
}

/** Shorter prefixes are ways to write "everywhere": 0/1 and 128/1 in IPv4, 2000::/3 in IPv6. */
const EVERYWHERE: Readonly<Record<Family, number>> = { 4: 1, 6: 3 };

/** Prefixes of one family in the order of their first addresses, so that one walk passes them. */
function blockers(family: Family, prefixes: readonly string[]): Prefix[] {
  return prefixes
    .filter((text) => familyOf(text) === family)
    .map(parsePrefix)
    .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
}

function firstFreeBlock(base: Prefix, length: number, taken: readonly Prefix[]): Prefix | undefined {
  const size = 1n << BigInt(bitsOf(base.family) - length);
  let { first } = base;
  for (const blocker of taken) {
    if (blocker.first >= first + size) break;
    // The next block that starts after the blocker; one that it only touches is spoiled whole.
    if (blocker.last >= first) first = ((blocker.last + size) / size) * size;
  }
  return first > base.last ? undefined : prefixAround({ family: base.family, value: first }, length);
}

/**
 * A free subnet, "172.18.0.0/16".
 * @throws TsnetError EXHAUSTED
 */
export function choosePool({ family, pools, used, avoid, length }: ChoosePoolInput): string {
  const routes = avoid.filter((text) => parsePrefix(text).length > EVERYWHERE[family]);
  const taken = blockers(family, [...used.map(({ subnet }) => subnet), ...routes]);
  const candidates = pools.filter(({ base }) => familyOf(base) === family);
  for (const pool of candidates) {
    const base = parsePrefix(pool.base);
    const size = length ?? pool.size;
    if (size < base.length || size > bitsOf(family)) continue;
    const block = firstFreeBlock(base, size, taken);
    if (block !== undefined) return formatPrefix(block);
  }
  const bases = candidates.map(({ base, size }) => `${base} by /${length ?? size}`).join(', ');
  const networks = used.filter(({ subnet }) => familyOf(subnet) === family).length;
  throw new TsnetError(
    'EXHAUSTED',
    `all predefined IPv${family} address pools are used (${bases === '' ? 'none is configured' : bases}; ` +
      `${networks} networks, and routes of this host); remove networks that nobody uses with \`tsnet prune\`, ` +
      'give --subnet, or set default-address-pools in daemon.json',
  );
}
