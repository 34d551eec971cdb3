/** The second half of rm, and the undoing of create. */
import type { LedgerView } from '../model/ledger.ts';
import type { Network } from '../model/records.ts';
import type { Plan } from '../plan/resource.ts';
import { ABANDONED, driverOf, type EngineContext } from './context.ts';
import { dismantleUnused } from './realize.ts';
import { releasePools } from './remote-pools.ts';
import { failure } from './undo.ts';

/** What goes with the network: its plan without the VLAN sub-interface that another network stands on as well. */
export function removalPlan(context: EngineContext, view: LedgerView, network: Network): Plan {
  const planOf = (one: Network): Plan => driverOf(context, one).networkPlan(one);
  const plan = planOf(network);
  if (!plan.some(({ kind }) => kind === 'vlan')) return plan;
  const others = view.networks().filter(({ id, state }) => id !== network.id && state !== 'removing');
  const theirs = new Set(others.flatMap(planOf).map((resource) => JSON.stringify(resource)));
  return plan.filter((resource) => resource.kind !== 'vlan' || !theirs.has(JSON.stringify(resource)));
}

/** Removes the network's plan and record. The caller holds the change lock. */
export async function finishNetworkRemoval(context: EngineContext, network: Network): Promise<void> {
  try {
    const plan = context.ledger.read((view) => removalPlan(context, view, network));
    await context.kernel.remove(plan, new Map());
    await releasePools(context, network);
  } catch (error) {
    context.ledger.changeNetworks((change) => {
      change.putNetwork({ ...network, state: 'removing', owner: ABANDONED });
    });
    throw failure(`remove network ${network.name}`, error, []);
  }
  context.ledger.changeNetworks((change) => {
    change.forgetNetwork(network.id);
    change.deleteNetwork(network.id);
  });
  await dismantleUnused(context);
}
