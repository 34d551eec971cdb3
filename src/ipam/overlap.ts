/**
 * Whether a subnet collides with another network's, or with a route of the host.
 */
import { familyOf, overlaps, parsePrefix } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { UsedSubnet } from './choose-pool.ts';

/**
 * @throws TsnetError FORBIDDEN naming the network that holds the addresses
 */
export function refuseOverlap(subnet: string, used: readonly UsedSubnet[]): void {
  const wanted = parsePrefix(subnet);
  const holder = used.find((other) => overlaps(wanted, parsePrefix(other.subnet)));
  if (holder === undefined) return;
  const taken = holder.subnet === subnet ? 'is taken by' : `overlaps ${holder.subnet} of`;
  throw new TsnetError(
    'FORBIDDEN',
    `subnet ${subnet} ${taken} network ${holder.network}; choose another --subnet, or leave it out`,
  );
}

/** The routes of the host that lead into the subnet or around it; default routes do not count. */
export function overlappingRoutes(subnet: string, routes: readonly string[]): string[] {
  const wanted = parsePrefix(subnet);
  return routes.filter((text) => {
    if (familyOf(text) !== wanted.family) return false;
    const route = parsePrefix(text);
    return route.length > 0 && overlaps(wanted, route);
  });
}
