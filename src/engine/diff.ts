/** `tsnet diff` and `repair`: the plans of the ledger against the kernel. */
import { describeResource } from '../plan/describe.ts';
import type { Observation } from '../plan/kernel.ts';
import { isFirewall, type Plan, type Resource } from '../plan/resource.ts';
import { blockedDrift, leftToOthers } from './blocked.ts';
import type { EngineContext } from './context.ts';
import { expiredLeases, renewDueLeases } from './dhcp-drift.ts';
import { describeOrphan } from './describe-orphan.ts';
import type { Drift, RepairAnswer } from './engine.ts';
import { fullPlan, orphansOf, unplannedDrift, type FullPlan } from './full-plan.ts';
import { firewallDrift, placeFirewall } from './firewall-place.ts';
import { collectDead, deadSandboxes } from './gc.ts';
import { abandonedRecords, recover } from './recover.ts';
import { reason } from './undo.ts';

/** One line of what was observed; none if it is as it should be. */
export function driftOf(full: FullPlan, observation: Observation): Drift[] {
  if (observation.state === 'present') return [];
  return [
    {
      state: observation.state,
      owner: full.ownerOf.get(observation.resource) ?? 'host',
      what: describeResource(observation.resource),
      ...(observation.state === 'wrong' ? { detail: observation.detail } : {}),
    },
  ];
}

/** What differs from the plan, or from a part of it, in words and as observed. */
export async function seen(
  context: EngineContext,
  full: FullPlan,
  part: Plan = full.plan,
): Promise<{ drift: Drift[]; broken: Observation[] }> {
  const observations = await context.kernel.observe(part, full.namespaces);
  return {
    drift: observations.flatMap((observation) => driftOf(full, observation)),
    broken: observations.filter(({ state }) => state !== 'present'),
  };
}

export async function diff(context: EngineContext): Promise<Drift[]> {
  // Changes under way would look like drift: wait for them, and keep new ones out while looking.
  return context.lock.exclusive(async () => {
    const pending = abandonedRecords(context).map(({ pending: { kind }, name, state }): Drift => ({
      state: 'pending',
      owner: `${kind} ${name}`,
      what: `left ${state} by a process that has ended`,
    }));
    const dead = await deadSandboxes(context);
    const without = new Set(dead.map(({ id }) => id));
    const full = fullPlan(context, { without });
    const { drift } = await seen(context, full);
    // What belongs to a dead sandbox is explained by its own line.
    const orphans = await orphansOf(context, fullPlan(context));
    return [
      ...pending,
      ...dead.map(({ name, death }): Drift => ({ state: 'orphaned', owner: `container ${name}`, what: death })),
      ...(await firewallDrift(context)),
      ...unplannedDrift(full),
      ...drift,
      ...expiredLeases(context, without),
      ...orphans.map((orphan): Drift => ({ state: 'orphaned', owner: 'host', what: describeOrphan(orphan) })),
      ...(await blockedDrift(context, full)),
    ];
  });
}

export async function repair(
  context: EngineContext,
  request: { readonly dryRun?: boolean } = {},
): Promise<RepairAnswer> {
  if (request.dryRun === true) {
    const drift = await diff(context);
    const blocked = drift.filter(({ state }) => state === 'blocked');
    return { repaired: drift.filter(({ state }) => state !== 'blocked'), failed: leftToOthers(blocked) };
  }
  const unfinished = await recover(context);
  const dead = await collectDead(context);
  const leases = await renewDueLeases(context);
  return context.lock.exclusive(async () => {
    const full = fullPlan(context);
    // Rules go from one backend to the other all together, or not at all.
    const placed = full.unplanned.length > 0 ? { repaired: [], failed: [] } : await placeFirewall(context, full.plan);
    // Isolation does not wait for a look into every container: the rules are mended meanwhile.
    const [rules, links] = await allDone([
      mendRules(context, full),
      seen(
        context,
        full,
        full.plan.filter((resource) => !isFirewall(resource)),
      ),
    ]);
    let failed: RepairAnswer['failed'] = [...rules.failed, ...(await mend(context, full, links.broken))];
    // A link that was made anew comes without what hung on it: look again. Firewall intents hang on nothing.
    if (links.broken.length > 0 && failed.length === 0)
      failed = await mend(context, full, (await seen(context, full)).broken);
    const drift = [...rules.drift, ...links.drift];
    const orphans = await orphansOf(context, full);
    await context.kernel.sweep(orphans);
    context.ledger.change((change) => {
      for (const { networkId } of full.sections) if (networkId !== undefined) change.setRealized(networkId, true);
    });
    return {
      repaired: [
        ...unfinished
          .filter(({ error }) => error === undefined)
          .map(({ pending: { kind }, name }): Drift => ({
            state: 'pending',
            owner: `${kind} ${name}`,
            what: 'left unfinished by a process that has ended',
          })),
        ...dead.removed.map(({ name, reason: what }): Drift => ({
          state: 'orphaned',
          owner: `container ${name}`,
          what,
        })),
        ...leases.repaired,
        ...placed.repaired,
        ...drift.filter(
          (one) => !failed.some(({ drift: other }) => other.owner === one.owner && other.what === one.what),
        ),
        ...orphans.map((orphan): Drift => ({ state: 'orphaned', owner: 'host', what: describeOrphan(orphan) })),
      ],
      failed: [
        ...unfinished.flatMap(({ pending: { kind }, name, error }) =>
          error === undefined
            ? []
            : [
                {
                  drift: { state: 'pending', owner: `${kind} ${name}`, what: 'unfinished' } as const,
                  reason: reason(error),
                },
              ],
        ),
        ...dead.failed.map(({ name, reason: why }) => ({
          drift: { state: 'orphaned', owner: `container ${name}`, what: 'its namespace is gone' } as const,
          reason: why,
        })),
        ...unplannedDrift(full).map((one) => ({ drift: one, reason: one.detail })),
        ...leases.failed,
        ...placed.failed,
        ...failed,
        ...leftToOthers(await blockedDrift(context, full)),
      ],
    };
  });
}

async function mendRules(
  context: EngineContext,
  full: FullPlan,
): Promise<{ readonly drift: readonly Drift[]; readonly failed: RepairAnswer['failed'] }> {
  const { drift, broken } = await seen(context, full, full.plan.filter(isFirewall));
  return { drift, failed: await mend(context, full, broken) };
}

/** Both outcomes; throws the first failure once neither is under way any more. */
async function allDone<A, B>(works: readonly [Promise<A>, Promise<B>]): Promise<readonly [A, B]> {
  await Promise.allSettled(works);
  return [await works[0], await works[1]];
}

/**
 * Ensures what is missing, all at once; if that fails, owner by owner, so that one broken container does not keep the others
 * down. The firewall comes first: what keeps networks apart stands before a link or a parameter lets packets flow again.
 */
export async function mend(
  context: EngineContext,
  full: FullPlan,
  broken: readonly Observation[],
): Promise<RepairAnswer['failed']> {
  const resources = new Set(broken.map(({ resource }) => resource));
  const intents = full.plan.filter((resource) => resources.has(resource) && isFirewall(resource));
  const links = full.plan.filter((resource) => resources.has(resource) && !isFirewall(resource));
  const failed: { drift: Drift; reason: string }[] = [];
  for (const part of [intents, links]) {
    if (part.length === 0) continue;
    try {
      await context.kernel.ensure(part, full.namespaces);
    } catch {
      failed.push(...(await mendApart(context, full, { part: new Set(part), broken })));
    }
  }
  return failed;
}

async function mendApart(
  context: EngineContext,
  full: FullPlan,
  { part, broken }: { readonly part: ReadonlySet<Resource>; readonly broken: readonly Observation[] },
): Promise<RepairAnswer['failed']> {
  const failed: { drift: Drift; reason: string }[] = [];
  for (const section of full.sections) {
    const plan: Plan = section.plan.filter((resource) => part.has(resource));
    if (plan.length === 0) continue;
    try {
      await context.kernel.ensure(plan, full.namespaces);
    } catch (error) {
      failed.push(
        ...broken
          .filter(({ resource }) => plan.includes(resource))
          .flatMap((observation) => driftOf(full, observation))
          .map((drift) => ({ drift, reason: reason(error) })),
      );
    }
  }
  return failed;
}
