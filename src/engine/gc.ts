/**
 * Garbage collection: unfinished changes, dead sandboxes, and things tagged ours that no record explains.
 */
import { TsnetError } from '../model/error.ts';
import type { EngineContext } from './context.ts';
import type { Garbage, GcRequest } from './engine.ts';
import type { Network } from '../model/records.ts';
import { fullPlan, orphansOf } from './full-plan.ts';
import { dismantleUnused, takeDown } from './realize.ts';
import { abandonedRecords, recover } from './recover.ts';
import { removeDeadSandbox, sandboxDeath } from './sandbox-life.ts';
import { reason } from './undo.ts';
import { describeOrphan } from './describe-orphan.ts';

/** The sandboxes that are dead, with the proof. `only`: those to look at, by id. */
export async function deadSandboxes(
  context: EngineContext,
  only?: ReadonlySet<string>,
): Promise<{ id: string; name: string; death: string }[]> {
  const dead: { id: string; name: string; death: string }[] = [];
  const candidates = context.ledger.read((view) =>
    only === undefined ? view.sandboxes() : [...only].flatMap((id) => view.sandbox(id) ?? []),
  );
  for (const sandbox of candidates) {
    if (sandbox.state !== 'running') continue;
    const death = await sandboxDeath(context, sandbox);
    if (death !== undefined) dead.push({ id: sandbox.id, name: sandbox.name, death });
  }
  return dead;
}

/** What came of letting go of dead sandboxes. */
export interface Collected {
  readonly removed: readonly Garbage[];
  /** Those that could not be taken down now: of a driver or plugin that is gone, say. The next change tries again. */
  readonly failed: readonly Garbage[];
}

/** Lets go of dead sandboxes, of `only` those ids where given. One that cannot be taken down is in no other's way. */
export async function collectDead(context: EngineContext, only?: ReadonlySet<string>): Promise<Collected> {
  const removed: Garbage[] = [];
  const failed: Garbage[] = [];
  for (const { id, name, death } of await deadSandboxes(context, only)) {
    const sandbox = context.ledger.read((view) => view.sandbox(id));
    if (sandbox === undefined) continue;
    try {
      await removeDeadSandbox(context, sandbox);
      removed.push({ kind: 'sandbox', name, reason: death });
    } catch (error) {
      failed.push({ kind: 'sandbox', name, reason: `${death}, and it could not be removed: ${reason(error)}` });
    }
  }
  return { removed, failed };
}

export async function gc(context: EngineContext, request: GcRequest = {}): Promise<Garbage[]> {
  if (request.dryRun === true) {
    const pending = abandonedRecords(context).map(({ pending: { kind }, name, state }): Garbage => ({
      kind,
      name,
      reason: `left ${state} by a process that has ended`,
    }));
    const dead = (await deadSandboxes(context)).map(({ name, death }): Garbage => ({
      kind: 'sandbox',
      name,
      reason: death,
    }));
    return context.lock.exclusive(async () => [
      ...pending,
      ...dead,
      ...(await orphans(context, 'look')),
      ...idleDefault(context).map(idle),
    ]);
  }
  const finished = (await recover(context)).map(({ pending: { kind }, name, error }): Garbage => ({
    kind,
    name,
    reason:
      error === undefined ? 'left unfinished by a process that has ended' : `could not be finished: ${reason(error)}`,
  }));
  const dead = await collectDead(context);
  return context.lock.exclusive(async () => [
    ...finished,
    ...dead.removed,
    ...dead.failed,
    ...(await orphans(context, 'sweep')),
    ...(await takeDownIdle(context)),
  ]);
}

/** The default network, when it is up and nobody is on it. It came up by itself and will again. */
function idleDefault(context: EngineContext): Network[] {
  return context.ledger.read((view) =>
    view.networks().filter(({ id, predefined }) => predefined && view.isRealized(id) && !view.hasEndpoints(id)),
  );
}

function idle({ name }: Network): Garbage {
  return { kind: 'network', name, reason: 'no container is on it; it comes up again with the next' };
}

async function takeDownIdle(context: EngineContext): Promise<Garbage[]> {
  const networks = idleDefault(context);
  for (const network of networks) await takeDown(context, network);
  if (networks.length > 0) await dismantleUnused(context);
  return networks.map(idle);
}

async function orphans(context: EngineContext, how: 'look' | 'sweep'): Promise<Garbage[]> {
  const found = await orphansOf(context, fullPlan(context));
  if (how === 'sweep') await context.kernel.sweep(found);
  return found.map((orphan): Garbage => ({
    kind: 'orphan',
    name: describeOrphan(orphan),
    reason: 'tagged ours, and no record explains it',
  }));
}

/**
 * Runs a change; when it fails for want of an address, a port or a name, dead containers are let go of and it is tried once
 * more: they may hold what is missing.
 */
export async function withSpace<T>(context: EngineContext, change: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } catch (error) {
    const wants = ['EXHAUSTED', 'PORT_TAKEN', 'FORBIDDEN', 'CONFLICT'] as const;
    if (!(error instanceof TsnetError) || !wants.some((code) => code === error.code)) throw error;
    if ((await collectDead(context)).removed.length === 0) throw error;
    return change();
  }
}
