/**
 * Networks come up when they are first needed after a boot: their records are durable, their bridges and rules are not.
 */
import { TsnetError } from '../model/error.ts';
import type { Network } from '../model/records.ts';
import { driverOf, type EngineContext } from './context.ts';
import { attempt, failure } from './undo.ts';

const NO_SANDBOXES = new Map<string, never>();

/** Makes sure that the networks' plans stand. Costs one ledger read when they do. */
export async function realize(context: EngineContext, networks: readonly Network[]): Promise<void> {
  const absent = (): Network[] =>
    context.ledger.read((view) => networks.flatMap(({ id }) => (view.isRealized(id) ? [] : (view.network(id) ?? []))));
  if (absent().length === 0) return;
  await context.lock.exclusive(async () => {
    for (const network of absent()) await bringUp(context, network);
  });
}

/** Ensures one network's plan and marks it; undone on failure. The caller holds the exclusive lock. */
export async function bringUp(context: EngineContext, network: Network): Promise<void> {
  const plan = driverOf(context, network).networkPlan(network);
  try {
    await context.kernel.ensure(plan, NO_SANDBOXES);
  } catch (error) {
    throw failure(
      `bring up network ${network.name}`,
      error,
      await attempt(() => context.kernel.remove(plan, NO_SANDBOXES)),
    );
  }
  context.ledger.change((change) => {
    if (change.network(network.id) === undefined) {
      throw new TsnetError('CONFLICT', `bring up network ${network.name}: it was removed meanwhile`);
    }
    change.setRealized(network.id, true);
  });
}

/** Removes a network's plan from the kernel. */
export async function takeDown(context: EngineContext, network: Network): Promise<void> {
  await context.kernel.remove(driverOf(context, network).networkPlan(network), NO_SANDBOXES);
  context.ledger.change((change) => {
    change.setRealized(network.id, false);
  });
}

/** With nothing of ours left on the host, our empty chains go as well. */
export async function dismantleUnused(context: EngineContext): Promise<void> {
  const used = context.ledger.read((view) =>
    view.networks().some(({ id, predefined }) => !predefined || view.isRealized(id)),
  );
  if (!used) await context.kernel.dismantleFirewall();
}
