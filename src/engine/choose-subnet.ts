/** A subnet for who names none: of daemon.json's pools, or of this installation's own IPv6 block. */
import { familyOf } from '../model/address.ts';
import type { LedgerView } from '../model/ledger.ts';
import type { Family } from '../model/records.ts';
import { choosePool, DEFAULT_BRIDGE_SUBNET, type UsedSubnet } from '../ipam/choose-pool.ts';
import { ulaPool } from '../ipam/ula.ts';
import type { Facts } from '../plan/kernel.ts';
import type { EngineContext } from './context.ts';

export interface SubnetWish {
  readonly family: Family;
  readonly used: readonly UsedSubnet[];
  readonly facts: Pick<Facts, 'routes'>;
  /** Wanted prefix length; absent: each pool's own. */
  readonly length?: number;
}

/** @throws TsnetError EXHAUSTED */
export function chooseSubnet(
  { config }: EngineContext,
  view: LedgerView,
  { family, used, facts, length }: SubnetWish,
): string {
  const defaults = config.defaultAddressPools;
  const pools =
    family === 6 && defaults.every(({ base }) => familyOf(base) === 4) ? [ulaPool(view.installationId())] : defaults;
  const avoid = facts.routes.map(({ destination }) => destination);
  const spoken = family === 4 ? [...used, { network: 'bridge', subnet: DEFAULT_BRIDGE_SUBNET }] : used;
  return choosePool({ family, pools, used: spoken, avoid, ...(length === undefined ? {} : { length }) });
}
