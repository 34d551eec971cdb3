/** Networks whose packets somebody else's firewall drops: told, with the command that mends it, and never touched. */
import type { Network } from '../model/records.ts';
import type { ForeignDrop, LookAge } from '../plan/kernel.ts';
import type { IsolateIntent, Plan } from '../plan/resource.ts';
import { driverOf, type EngineContext } from './context.ts';
import type { Drift, RepairAnswer } from './engine.ts';
import type { FullPlan } from './full-plan.ts';

/** What a network asks of others' firewalls: that its packets are forwarded. Internal networks ask nothing. */
function forwarded(plan: Plan): IsolateIntent[] {
  return plan.filter((resource) => resource.kind === 'isolate');
}

/** "table ip filter, chain FORWARD drops its packets (policy drop)" */
function describe({ chain, why }: ForeignDrop, what: string): string {
  return `${chain} drops ${what} (${why})`;
}

interface Owned {
  readonly owner: string;
  readonly plan: Plan;
}

/** The drops, each chain once an owner: one chain may drop both families. */
async function dropsOf(
  { kernel }: EngineContext,
  owned: readonly Owned[],
  age: LookAge,
): Promise<{ readonly owner: string; readonly drop: ForeignDrop }[]> {
  const ownerOf = new Map(owned.flatMap(({ owner, plan }) => forwarded(plan).map(({ bridge }) => [bridge, owner])));
  const drops = await kernel.foreignDrops(
    owned.flatMap(({ plan }) => forwarded(plan)),
    age,
  );
  const found = drops.map((drop) => ({ owner: ownerOf.get(drop.bridge) ?? 'host', drop }));
  return [...new Map(found.map((one) => [`${one.owner} ${one.drop.chain}`, one])).values()];
}

/** One line a network and chain. */
export async function blockedWarnings(context: EngineContext, networks: readonly Network[]): Promise<string[]> {
  const owned = networks.map((network) => ({
    owner: network.name,
    plan: driverOf(context, network).networkPlan(network),
  }));
  const found = await dropsOf(context, owned, 'recent');
  return found.map(
    ({ owner, drop }) => `${describe(drop, `packets of network ${owner}`)}; to let them pass: ${drop.remedy}`,
  );
}

export async function blockedDrift(context: EngineContext, full: FullPlan): Promise<Drift[]> {
  const found = await dropsOf(context, full.sections, 'fresh');
  return found.map(({ owner, drop }) => ({
    state: 'blocked',
    owner,
    what: describe(drop, 'its packets'),
    detail: drop.remedy,
  }));
}

/** What repair says of it: the chain is somebody else's. */
export function leftToOthers(blocked: readonly Drift[]): RepairAnswer['failed'] {
  return blocked.map(({ detail, ...drift }) => ({ drift, reason: `not ours to change; run: ${detail ?? ''}` }));
}
