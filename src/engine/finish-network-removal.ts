/** The second half of rm, and the undoing of create. */
import type { Network } from '../model/records.ts';
import { ABANDONED, driverOf, type EngineContext } from './context.ts';
import { dismantleUnused } from './realize.ts';
import { failure } from './undo.ts';

/** Removes the network's plan and record. The caller holds the change lock. */
export async function finishNetworkRemoval(context: EngineContext, network: Network): Promise<void> {
  try {
    await context.kernel.remove(driverOf(context, network).networkPlan(network), new Map());
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
