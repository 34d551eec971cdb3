/**
 * Healing: the part of `repair` that a change in the kernel asks for, and no more of it.
 *
 * First a look without the lock, which costs others nothing: after most changes nothing is wrong. Only what differs is looked
 * at again under the exclusive lock, and mended. Records in a transient state are left to `recover`: their owner is at work.
 */
import type { LedgerView } from '../model/ledger.ts';
import type { Endpoint } from '../model/records.ts';
import type { Observation } from '../plan/kernel.ts';
import { isFirewall, type InternalIntent, type IsolateIntent, type Resource } from '../plan/resource.ts';
import type { EngineContext } from './context.ts';
import { driftOf, mend } from './diff.ts';
import { describeOrphan } from './describe-orphan.ts';
import type { Drift, RepairAnswer } from './engine.ts';
import { staleFlows } from './flows.ts';
import { fullPlan, orphansOf, type FullPlan } from './full-plan.ts';

/** What may have changed. */
export interface HealScope {
  /** The firewall rules of all networks and endpoints. */
  readonly firewall: boolean;
  /** The networks' own links, addresses, routes and parameters, by network id. */
  readonly networks: ReadonlySet<string>;
  /** What sandboxes have, on both ends of their links, by sandbox id. */
  readonly sandboxes: ReadonlySet<string>;
  /** What is tagged ours and no record explains. */
  readonly strays: boolean;
}

export interface HealOptions {
  /** Drift to leave as it is for now. */
  readonly isHeldBack: (drift: Drift) => boolean;
}

interface Found {
  readonly full: FullPlan;
  readonly broken: readonly Observation[];
}

/** Compares the scope with the kernel and mends what differs. The caller holds no lock. */
export async function heal(context: EngineContext, scope: HealScope, options: HealOptions): Promise<RepairAnswer> {
  const glance = await compare(context, scope, options);
  const strays = scope.strays && (await orphansOf(context, fullPlan(context))).length > 0;
  if (glance.broken.length === 0 && !strays) {
    markRealized(context, glance.full);
    return { repaired: [], failed: [] };
  }
  return context.lock.exclusive(async () => {
    const damaged = damage(glance);
    const { full, broken } = await compare(context, damaged, options);
    let failed = await mend(context, full, broken);
    // A link that was made anew comes without what hung on it.
    if (broken.some(({ resource }) => !isFirewall(resource)) && failed.length === 0) {
      const again = await compare(context, withPortsOfBridges(context, damaged, broken), options);
      failed = await mend(context, again.full, again.broken);
    }
    await context.kernel.forgetFlows(staleFlows(publishedAgain(broken)));
    await context.kernel.forgetTrespassers(isolatedAgain(broken));
    const orphans = strays ? await orphansOf(context, fullPlan(context)) : [];
    await context.kernel.sweep(orphans);
    if (failed.length === 0) markRealized(context, glance.full);
    const isFailed = (one: Drift): boolean =>
      failed.some(({ drift }) => drift.owner === one.owner && drift.what === one.what);
    return {
      repaired: [
        ...broken.flatMap((observation) => driftOf(full, observation)).filter((one) => !isFailed(one)),
        ...orphans.map((orphan): Drift => ({ state: 'orphaned', owner: 'host', what: describeOrphan(orphan) })),
      ],
      failed,
    };
  });
}

/** No more of the scope than was seen to be damaged: others wait while the lock is held. */
function damage({ full, broken }: Found): HealScope {
  const sections = broken.flatMap(({ resource }) => (isFirewall(resource) ? [] : (full.sectionOf.get(resource) ?? [])));
  return {
    firewall: broken.some(({ resource }) => isFirewall(resource)),
    networks: new Set(sections.flatMap(({ networkId }) => networkId ?? [])),
    sandboxes: new Set(sections.flatMap(({ sandboxId }) => sandboxId ?? [])),
    strays: false,
  };
}

async function compare(context: EngineContext, scope: HealScope, { isHeldBack }: HealOptions): Promise<Found> {
  const busy = context.ledger.read((view) => unsettled(view));
  const only = scope.firewall ? {} : { only: scope };
  const full = fullPlan(context, { ...only, without: busy });
  const wanted = full.plan.filter((resource) => isWanted(full, scope, resource));
  const observations = await context.kernel.observe(wanted, full.namespaces);
  const differing = observations.filter(({ state }) => state !== 'present');
  const gone = goneSandboxes(context, full, differing);
  const broken = differing.filter((observation) => {
    const sandboxId = full.sectionOf.get(observation.resource)?.sandboxId;
    const isDying = sandboxId !== undefined && gone.has(sandboxId) && !isFirewall(observation.resource);
    return !isDying && !driftOf(full, observation).some(isHeldBack);
  });
  return { full, broken };
}

/** Those among the sandboxes with damage whose namespace is not where it was: they are dying, or dead, and gc's business. */
function goneSandboxes({ kernel }: EngineContext, full: FullPlan, differing: readonly Observation[]): Set<string> {
  const damaged = new Set(differing.flatMap(({ resource }) => full.sectionOf.get(resource)?.sandboxId ?? []));
  return new Set(
    [...damaged].filter((id) => {
      const netns = full.namespaces.get(id);
      if (netns === undefined) return true;
      const now = kernel.netnsAt(netns.path);
      return now?.inode !== netns.inode || now.device !== netns.device;
    }),
  );
}

function isWanted({ sectionOf }: FullPlan, scope: HealScope, resource: Resource): boolean {
  if (isFirewall(resource)) return scope.firewall;
  const section = sectionOf.get(resource);
  return (
    (section?.networkId !== undefined && scope.networks.has(section.networkId)) ||
    (section?.sandboxId !== undefined && scope.sandboxes.has(section.sandboxId))
  );
}

/** Sandboxes that somebody is changing right now, or gave up changing. */
function unsettled(view: LedgerView): Set<string> {
  return new Set(
    view.pending().flatMap(({ kind, id }): string[] => {
      if (kind === 'sandbox') return [id];
      const endpoint: Endpoint | undefined = kind === 'endpoint' ? view.endpoint(id) : undefined;
      return endpoint === undefined ? [] : [endpoint.sandboxId];
    }),
  );
}

/** Whoever was a port of a bridge that is new, or was away, has lost it. */
function withPortsOfBridges(context: EngineContext, scope: HealScope, broken: readonly Observation[]): HealScope {
  const bridges = new Set(broken.flatMap(({ resource }) => (resource.kind === 'bridge' ? [resource.tag] : [])));
  if (bridges.size === 0) return scope;
  const sandboxes = context.ledger.read((view) =>
    [...scope.networks]
      .filter((id) => bridges.has(`tsnet:${id}`))
      .flatMap((id) => view.endpointsOfNetwork(id).map(({ sandboxId }) => sandboxId)),
  );
  return { ...scope, sandboxes: new Set([...scope.sandboxes, ...sandboxes]) };
}

/** Flows to a UDP port that began while its rule was away lead to the host itself for as long as somebody sends. */
function publishedAgain(broken: readonly Observation[]): Parameters<typeof staleFlows>[0] {
  return broken.flatMap(({ resource }) => (resource.kind === 'publish' && resource.mode === 'nat' ? [resource] : []));
}

/** A flow that began while nothing kept it out is a known one now, and known flows pass. */
function isolatedAgain(broken: readonly Observation[]): (IsolateIntent | InternalIntent)[] {
  return broken.flatMap(({ resource }) =>
    resource.kind === 'isolate' || resource.kind === 'internal' ? [resource] : [],
  );
}

/** Networks that were looked at and stand, as after `repair`. */
function markRealized({ ledger }: EngineContext, { sections }: FullPlan): void {
  const fresh = ledger.read((view) =>
    sections.flatMap(({ networkId }) => (networkId === undefined || view.isRealized(networkId) ? [] : [networkId])),
  );
  if (fresh.length === 0) return;
  ledger.change((change) => {
    for (const id of fresh) change.setRealized(id, true);
  });
}
