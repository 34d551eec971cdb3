/** The firewall rules in the backend that daemon.json asks for, and nowhere else. */
import type { FirewallMisplacement } from '../plan/kernel.ts';
import type { Plan } from '../plan/resource.ts';
import type { EngineContext } from './context.ts';
import type { Drift, RepairAnswer } from './engine.ts';
import { reason } from './undo.ts';

function describe({ inForce, wanted, leftover }: FirewallMisplacement): Drift {
  return inForce === wanted
    ? {
        state: 'orphaned',
        owner: 'host',
        what: `rules of tsnet in ${leftover ?? ''}: the rules in force are in ${inForce}`,
      }
    : {
        state: 'wrong',
        owner: 'host',
        what: `firewall rules are in ${inForce}`,
        detail: `daemon.json asks for ${wanted}`,
      };
}

export async function firewallDrift({ kernel }: EngineContext): Promise<Drift[]> {
  const misplacement = await kernel.firewallMisplacement();
  return misplacement === undefined ? [] : [describe(misplacement)];
}

/** Moves the rules where they belong. `plan`: everything there is. */
export async function placeFirewall({ kernel }: EngineContext, plan: Plan): Promise<RepairAnswer> {
  const misplacement = await kernel.firewallMisplacement();
  if (misplacement === undefined) return { repaired: [], failed: [] };
  const drift = describe(misplacement);
  try {
    await kernel.moveFirewall(plan);
    return { repaired: [drift], failed: [] };
  } catch (error) {
    return { repaired: [], failed: [{ drift, reason: reason(error) }] };
  }
}
