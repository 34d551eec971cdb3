/** An address that Docker's IPAM asks for by name (`docker run --ip`, gateways, aux addresses). */
import { hostProblem } from '../../ipam/usable.ts';
import { formatAddress, parseAddress, parsePrefix, withoutLength } from '../../model/address.ts';
import { TsnetError } from '../../model/error.ts';
import type { LedgerView } from '../../model/ledger.ts';
import type { DockerPool } from '../../model/records.ts';
import { addressHolder } from '../lookup.ts';

/** The address that is asked for by name, if the subnet can have it. */
export function askedAddress({ subnet }: DockerPool, typed: string): string {
  const address = formatAddress(parseAddress(withoutLength(typed)));
  const problem = hostProblem(parsePrefix(subnet), parseAddress(address));
  if (problem !== undefined) throw new TsnetError('INVALID', `give Docker address ${address}: ${problem}`);
  return address;
}

/**
 * @param holder under which id the leases of the subnet are kept
 * @throws TsnetError FORBIDDEN
 */
export function refuseHeld(
  view: LedgerView,
  { pool, holder, address }: { readonly pool: DockerPool; readonly holder: string; readonly address: string },
): void {
  const act = `give Docker address ${address}`;
  const lease = view.lease(holder, address)?.kind;
  if (lease === 'endpoint' || lease === 'docker') {
    throw new TsnetError('FORBIDDEN', `${act}: it is held by ${addressHolder(view, holder, address)}; choose another`);
  }
  if (pool.held.includes(address))
    throw new TsnetError('FORBIDDEN', `${act}: Docker has it already, as gateway or aux address`);
}
