/** How full the subnets of a network are. */
import { contains, parseAddress, parsePrefix } from '../model/address.ts';
import type { Lease, Pool } from '../model/records.ts';
import { dynamicSpan, hostSpan, reservations } from '../ipam/usable.ts';

export interface PoolUsage {
  readonly subnet: string;
  /** Addresses that containers can get without asking for one. */
  readonly dynamic: bigint;
  /** Of those, the ones that nobody has. Resting addresses are free: they are given when nothing else is left. */
  readonly free: bigint;
  /** All that somebody has, with the network's own: its network and broadcast address, gateway, aux addresses. */
  readonly inUse: bigint;
}

export function poolUsage(pools: readonly Pool[], leases: readonly Lease[]): PoolUsage[] {
  const held = leases.filter(({ holder }) => holder.kind !== 'quarantine').map(({ address }) => parseAddress(address));
  return pools.map((pool) => {
    const subnet = parsePrefix(pool.subnet);
    const hosts = hostSpan(subnet);
    const { first, last } = dynamicSpan(pool);
    const taken = new Set([
      ...reservations(pool).keys(),
      ...held.filter((address) => contains(subnet, address)).map(({ value }) => value),
    ]);
    const dynamic = last < first ? 0n : last - first + 1n;
    const takenThere = [...taken].filter((value) => value >= first && value <= last).length;
    const ownAddresses = subnet.last - subnet.first - (hosts.last - hosts.first);
    return {
      subnet: pool.subnet,
      dynamic,
      free: dynamic - BigInt(takenThere),
      inUse: ownAddresses + BigInt(taken.size),
    };
  });
}
