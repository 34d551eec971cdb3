/** An address that nobody in the cluster has, as far as this host knows: the store has the last word. */
import { dynamicSpan, reservations } from '../ipam/usable.ts';
import { familyOf, formatAddress } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { Family, Network } from '../model/records.ts';

export interface FreeAddressRequest {
  readonly network: Pick<Network, 'name' | 'pools'>;
  readonly family: Family;
  readonly isTaken: (address: string) => boolean;
  /** Taken where nothing else is free. */
  readonly isResting: (address: string) => boolean;
  /** 0 ≤ x < 1. Hosts that all begin at the same place would all propose the same address. */
  readonly random: () => number;
}

/** @throws TsnetError EXHAUSTED */
export function freeAddress({ network, family, isTaken, isResting, random }: FreeAddressRequest): string {
  let rested: string | undefined;
  const pools = network.pools.filter(({ subnet }) => familyOf(subnet) === family);
  for (const pool of pools) {
    const { first, last } = dynamicSpan(pool);
    const reserved = reservations(pool);
    const size = last - first + 1n;
    // 2^53 beginnings are enough for a subnet of any size.
    const start = (size * BigInt(Math.floor(random() * 2 ** 53))) >> 53n;
    for (let step = 0n; step < size; step++) {
      const value = first + ((start + step) % size);
      if (reserved.has(value)) continue;
      const address = formatAddress({ family, value });
      if (isTaken(address)) continue;
      if (!isResting(address)) return address;
      rested ??= address;
    }
  }
  if (rested !== undefined) return rested;
  const subnets = pools.map(({ subnet, range }) => range ?? subnet).join(', ');
  throw new TsnetError(
    'EXHAUSTED',
    `no free IPv${family} address in network ${network.name}: all of ${subnets} are held, on this host and others; disconnect containers`,
  );
}
