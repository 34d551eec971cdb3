/**
 * How a network is cut into the blocks that its hosts give addresses out of (`mode=block`). The IPv4 subnet is cut into blocks of a
 * length that the network's driver decided; an IPv6 subnet beside it is cut into as many, and block n is both n-ths: one key claims
 * them together.
 */
import { reservations, dynamicSpan, type Span } from '../ipam/usable.ts';
import { familyOf, formatPrefix, isAddress, parseAddress, parsePrefix, type Prefix } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { Family, Network, Pool } from '../model/records.ts';

export interface Block {
  readonly index: number;
  /** Of IPv4, as the keys of the store have it: "10.77.3.0-24". */
  readonly name: string;
  /** "10.77.3.0/24", and after it the one of IPv6 where the network has that. */
  readonly prefixes: readonly string[];
}

export interface BlockLayout {
  readonly count: number;
  /** 0 ≤ index < count */
  at(index: number): Block;
  /** The one that has an address; undefined outside of all. */
  of(address: string): Block | undefined;
  /** Undefined for what is no block of this network. */
  named(name: string): Block | undefined;
}

/** One family's part of a network. */
interface Part {
  readonly family: Family;
  readonly subnet: Prefix;
  readonly length: number;
  /** Addresses of a block are those that share all but so many bits. */
  readonly bits: bigint;
}

/**
 * @param length Of the IPv4 blocks, the driver's (`blockLength`)
 * @throws TsnetError INTERNAL for a network that no driver would have let pass
 */
export function blockLayout({ name, pools }: Pick<Network, 'name' | 'pools'>, length: number): BlockLayout {
  const subnets = pools.map(({ subnet }) => parsePrefix(subnet));
  const leading = subnets.find(({ family }) => family === 4);
  if (leading === undefined || length <= leading.length) {
    throw new TsnetError(
      'INTERNAL',
      `cut network ${name} into blocks: no IPv4 subnet that is larger than a /${length}`,
    );
  }
  const more = length - leading.length;
  const parts = ([4, 6] as const).flatMap((family): Part[] => {
    const subnet = subnets.find((one) => one.family === family);
    if (subnet === undefined) return [];
    const own = subnet.length + more;
    return [{ family, subnet, length: own, bits: BigInt((family === 4 ? 32 : 128) - own) }];
  });

  const prefixesAt = (index: number): string[] =>
    parts.map(({ family, subnet, length: own, bits }) => {
      const first = subnet.first + (BigInt(index) << bits);
      return formatPrefix({ family, length: own, first, last: first + (1n << bits) - 1n });
    });
  const at = (index: number): Block => {
    const prefixes = prefixesAt(index);
    return { index, name: (prefixes[0] ?? '').replace('/', '-'), prefixes };
  };
  const of = (address: string): Block | undefined => {
    const { family, value } = parseAddress(address);
    const part = parts.find((one) => one.family === family);
    if (part === undefined || value < part.subnet.first || value > part.subnet.last) return undefined;
    return at(Number((value - part.subnet.first) >> part.bits));
  };
  return {
    count: 2 ** more,
    at,
    of,
    named: (wanted) => {
      const [first = ''] = wanted.split('-');
      const block = isAddress(first) ? of(first) : undefined;
      return block?.name === wanted ? block : undefined;
    },
  };
}

/**
 * The first address of each block is nobody's: the other hosts have it as the next hop of their route to the block
 * (`drivers/overlay/peers.ts`).
 */
export function isNextHop(block: Block, address: string): boolean {
  const { value } = parseAddress(address);
  return block.prefixes.some((prefix) => familyOf(prefix) === familyOf(address) && parsePrefix(prefix).first === value);
}

/** What a host may give out of a block by itself, in one family. */
export interface BlockRoom extends Span {
  readonly family: Family;
  /** Addresses that belong to somebody already. */
  readonly reserved: ReadonlySet<bigint>;
}

/** Undefined where the block has nothing to give: it is outside of the network's range, or all of it is spoken for. */
export function roomIn(block: Block, pools: readonly Pool[], family: Family): BlockRoom | undefined {
  const prefix = block.prefixes.find((one) => familyOf(one) === family);
  const pool = pools.find(({ subnet }) => familyOf(subnet) === family);
  if (prefix === undefined || pool === undefined) return undefined;
  const [hosts, { first, last }] = [dynamicSpan(pool), parsePrefix(prefix)];
  const span = {
    first: hosts.first > first + 1n ? hosts.first : first + 1n,
    last: hosts.last < last ? hosts.last : last,
  };
  const reserved = new Set([...reservations(pool).keys()].filter((value) => span.first <= value && value <= span.last));
  return span.last - span.first + 1n > BigInt(reserved.size) ? { ...span, family, reserved } : undefined;
}
