/** `tsnet rm`. */
import { TsnetError } from '../model/error.ts';
import type { Network } from '../model/records.ts';
import type { LedgerView } from '../model/ledger.ts';
import type { Plan } from '../plan/resource.ts';
import { isClustered, requiredCluster, vnisOf } from './cluster.ts';
import { driverOf, type EngineContext } from './context.ts';
import { finishNetworkRemoval, removalPlan } from './finish-network-removal.ts';
import { findNetwork } from './lookup.ts';
import { recover } from './recover.ts';
import { removeDeadSandbox, sandboxDeath } from './sandbox-life.ts';

/** Refuses while containers are on the network, naming each. */
function refuseInUse(view: LedgerView, network: Network): void {
  const holders = view
    .endpointsOfNetwork(network.id)
    .map(({ id, sandboxId }) => `${view.sandbox(sandboxId)?.name ?? '?'} (${id.slice(0, 12)})`);
  if (holders.length === 0) return;
  throw new TsnetError(
    'FORBIDDEN',
    `remove network ${network.name}: it has active endpoints: ${holders.join(', ')}; disconnect them first`,
  );
}

/** Containers that died without telling us do not keep a network. */
async function releaseDead(context: EngineContext, network: Network): Promise<void> {
  const sandboxes = context.ledger.read((view) =>
    view.endpointsOfNetwork(network.id).flatMap(({ sandboxId }) => view.sandbox(sandboxId) ?? []),
  );
  for (const sandbox of sandboxes) {
    const death = sandbox.state === 'running' ? await sandboxDeath(context, sandbox) : undefined;
    if (death !== undefined) await removeDeadSandbox(context, sandbox);
  }
}

export interface RemoveNetworkRequest {
  readonly network: string;
  readonly dryRun?: boolean;
}

export interface RemoveNetworkAnswer {
  readonly name: string;
  readonly plan: Plan;
  readonly warnings: readonly string[];
}

export async function removeNetwork(
  context: EngineContext,
  request: RemoveNetworkRequest,
): Promise<RemoveNetworkAnswer> {
  await recover(context);
  const network = context.ledger.read((view) => findNetwork(view, request.network));
  if (network.predefined) {
    throw new TsnetError(
      'FORBIDDEN',
      `remove network ${network.name}: it is a predefined network and cannot be removed`,
    );
  }
  await releaseDead(context, network);
  const plan = context.ledger.read((view) => removalPlan(context, view, network));
  if (request.dryRun === true) {
    context.ledger.read((view) => {
      refuseInUse(view, network);
    });
    return { name: network.name, plan, warnings: [] };
  }
  if (isClustered(driverOf(context, network))) await removeFromCluster(context, network);
  await context.lock.shared(async () => {
    // In one transaction with the check, so that no container can join in between.
    const removing = context.ledger.changeNetworks((change) => {
      const current = change.network(network.id);
      if (current === undefined) return undefined;
      refuseInUse(change, current);
      const next: Network = { ...current, state: 'removing', owner: context.self };
      change.putNetwork(next);
      return next;
    });
    if (removing !== undefined) await finishNetworkRemoval(context, removing);
  });
  return { name: network.name, plan, warnings: [] };
}

/** First for all hosts, then here: a container that comes in between finds that the cluster has no such network. */
async function removeFromCluster(context: EngineContext, network: Network): Promise<void> {
  context.ledger.read((view) => {
    refuseInUse(view, network);
  });
  const cluster = requiredCluster(context, `remove network ${network.name}`);
  await cluster.removeNetwork(network, vnisOf(context, network));
}
