/**
 * Networks of one LAN: they have the same subnet, and each gives addresses of a range of its own.
 *
 * Our own probe does not find containers of another network on the same parent, which the kernel hides from it; so the ledger keeps
 * their addresses apart.
 */
import { contains, overlaps, parseAddress, parsePrefix } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { LedgerView } from '../model/ledger.ts';
import type { Network, Pool } from '../model/records.ts';
import type { EngineContext } from './context.ts';
import { isDhcp } from './dhcp-network.ts';
import { addressHolder } from './lookup.ts';

/** Whether a subnet of the network is one of a LAN, which others may be on as well. */
function isOnLan({ drivers }: EngineContext, network: Network): boolean {
  return drivers.of(network)?.ipam === 'lan';
}

/**
 * The networks that a new one on a LAN shares this subnet with.
 * @throws TsnetError FORBIDDEN where both would give the same addresses
 */
export function lanNeighbours(context: EngineContext, view: LedgerView, pool: Pool, asksServer: boolean): Network[] {
  const neighbours = neighboursOf(context, view, pool.subnet);
  for (const { network, pool: other } of neighbours) {
    // What a DHCP server gives, it keeps apart itself.
    if (asksServer || isDhcp(network)) continue;
    if (pool.range === undefined || other.range === undefined) {
      throw new TsnetError(
        'FORBIDDEN',
        `subnet ${pool.subnet} is that of network ${network.name}, too; networks of one LAN share a subnet if each has an --ip-range of its own, and ${pool.range === undefined ? 'this one' : network.name} has none`,
      );
    }
    if (overlaps(parsePrefix(pool.range), parsePrefix(other.range))) {
      throw new TsnetError(
        'FORBIDDEN',
        `range ${pool.range} overlaps ${other.range} of network ${network.name}; choose another --ip-range`,
      );
    }
  }
  return neighbours.map(({ network }) => network);
}

/** @throws TsnetError FORBIDDEN for an address that another network of the LAN has given, or will give */
export function refuseNeighbours(
  context: EngineContext,
  view: LedgerView,
  { network, sandbox, address }: { readonly network: Network; readonly sandbox: string; readonly address: string },
): void {
  if (!isOnLan(context, network)) return;
  const parsed = parseAddress(address);
  const subnet = network.pools.find((pool) => contains(parsePrefix(pool.subnet), parsed))?.subnet;
  if (subnet === undefined) return;
  const act = `connect ${sandbox} to ${network.name}: address ${address}`;
  for (const { network: other, pool } of neighboursOf(context, view, subnet)) {
    if (other.id === network.id) continue;
    if (view.lease(other.id, address)?.kind === 'endpoint') {
      throw new TsnetError(
        'FORBIDDEN',
        `${act} is held by ${addressHolder(view, other.id, address)} on network ${other.name}; choose another, or leave --ip out`,
      );
    }
    if (pool.range !== undefined && contains(parsePrefix(pool.range), parsed)) {
      throw new TsnetError(
        'FORBIDDEN',
        `${act} is in the --ip-range of network ${other.name}, ${pool.range}; choose another`,
      );
    }
  }
}

function neighboursOf(
  context: EngineContext,
  view: LedgerView,
  subnet: string,
): { readonly network: Network; readonly pool: Pool }[] {
  return view.networks().flatMap((network) => {
    const pool = network.pools.find((one) => one.subnet === subnet);
    return pool === undefined || !isOnLan(context, network) ? [] : [{ network, pool }];
  });
}
