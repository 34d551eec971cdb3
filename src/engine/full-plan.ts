/**
 * The plan of everything that should exist right now, with the owner of each resource: what diff, repair and gc compare
 * the kernel with.
 */
import type { Network, Sandbox } from '../model/records.ts';
import type { Namespaces, Orphan } from '../plan/kernel.ts';
import { TAG_PREFIX, type Plan, type Resource } from '../plan/resource.ts';
import { sandboxPlan } from '../plan/sandbox-plan.ts';
import { tunedPlan } from '../plan/tuned-plan.ts';
import { attachedEndpoints } from './attach.ts';
import { isOfCluster } from './cluster.ts';
import { driverOf, namespacesOf, type EngineContext } from './context.ts';
import type { Drift } from './engine.ts';
import { guardPlan, remoteEndsPlan } from './remote-ends.ts';
import { reason } from './undo.ts';

export interface Section {
  /** "network web", "container db on web", "container db". */
  readonly owner: string;
  readonly plan: Plan;
  /** The network that this section brings up, when it is one's own. */
  readonly networkId?: string;
  /** The sandbox whose it is, when it is a sandbox's. */
  readonly sandboxId?: string;
}

/** What should be there and is not known, since the driver that planned it is gone or broken. */
export interface Unplanned {
  readonly owner: string;
  /** Of the network or endpoint. */
  readonly id: string;
  readonly driver: string;
  readonly reason: string;
}

export interface FullPlan {
  readonly sections: readonly Section[];
  readonly unplanned: readonly Unplanned[];
  readonly plan: Plan;
  readonly namespaces: Namespaces;
  readonly ownerOf: ReadonlyMap<Resource, string>;
  readonly sectionOf: ReadonlyMap<Resource, Section>;
  /** VXLAN devices all of whose remote ends are in the plan: an entry of theirs that is not is one too many. */
  readonly closed: ReadonlySet<string>;
}

export interface FullPlanOptions {
  /** Sandboxes whose kernel side is gone for good. */
  readonly without?: ReadonlySet<string>;
  /** Networks and sandboxes, by id, that the plan is wanted of; absent: all. */
  readonly only?: { readonly networks: ReadonlySet<string>; readonly sandboxes: ReadonlySet<string> };
}

export function fullPlan(context: EngineContext, options: FullPlanOptions = {}): FullPlan {
  const sections: Section[] = [];
  const unplanned: Unplanned[] = [];
  const sandboxes: Sandbox[] = [];
  const closed = new Set<string>();
  const overlays: Network[] = [];
  const add = (
    section: Omit<Section, 'plan'>,
    { id, driver }: Pick<Unplanned, 'id' | 'driver'>,
    plan: () => Plan,
  ): void => {
    try {
      sections.push({ ...section, plan: plan() });
    } catch (error) {
      unplanned.push({ owner: section.owner, id, driver, reason: reason(error) });
    }
  };
  context.ledger.read((view) => {
    for (const network of view.networks()) {
      // The default network comes up with its first container, and so does one of the cluster, which other hosts may have made.
      // Networks that somebody created here are wanted always.
      if ((network.predefined || isOfCluster(context, network)) && !view.isRealized(network.id)) continue;
      if (network.state !== 'active' || options.only?.networks.has(network.id) === false) continue;
      add({ owner: `network ${network.name}`, networkId: network.id }, network, () =>
        driverOf(context, network).networkPlan(network),
      );
      if (context.drivers.of(network)?.peerPlan === undefined) continue;
      overlays.push(network);
      add({ owner: `other hosts on ${network.name}`, networkId: network.id }, network, () => {
        const plan = remoteEndsPlan(context, network);
        if (plan === undefined) return [];
        for (const device of driverOf(context, network).networkPlan(network)) {
          if (device.kind === 'vxlan') closed.add(device.name);
        }
        return plan;
      });
    }
    const guard = guardPlan(context, overlays);
    if (guard !== undefined) sections.push({ owner: 'cluster', plan: guard });
    for (const sandbox of view.sandboxes()) {
      if (options.without?.has(sandbox.id) === true || options.only?.sandboxes.has(sandbox.id) === false) continue;
      sandboxes.push(sandbox);
      const attached = attachedEndpoints(view, sandbox.id);
      for (const { endpoint, network } of attached) {
        add(
          { owner: `container ${sandbox.name} on ${network.name}`, sandboxId: sandbox.id },
          { id: endpoint.id, driver: network.driver },
          () => tunedPlan(driverOf(context, network).endpointPlan(network, endpoint), sandbox),
        );
      }
      sections.push({
        owner: `container ${sandbox.name}`,
        sandboxId: sandbox.id,
        plan: sandboxPlan(sandbox, attached),
      });
    }
  });
  return {
    sections,
    unplanned,
    closed,
    plan: sections.flatMap(({ plan }) => plan),
    namespaces: namespacesOf(...sandboxes),
    sectionOf: new Map(sections.flatMap((section) => section.plan.map((resource) => [resource, section] as const))),
    ownerOf: new Map(sections.flatMap(({ owner, plan }) => plan.map((resource) => [resource, owner] as const))),
  };
}

/** Everything tagged ours that no plan names. What a broken driver may have planned is left out: "cannot tell" is not "not there". */
export async function orphansOf({ kernel }: EngineContext, { plan, unplanned, closed }: FullPlan): Promise<Orphan[]> {
  const orphans = await kernel.orphans(plan, closed);
  if (unplanned.length === 0) return orphans;
  const known = new Set(unplanned.map(({ id }) => `${TAG_PREFIX}${id}`));
  // Nothing tells whose a rule is, nor whose a shared link.
  return orphans.filter(
    (orphan) => orphan.kind === 'link' && /:[0-9a-f]{64}$/.test(orphan.tag) && !known.has(orphan.tag),
  );
}

export function unplannedDrift({ unplanned }: FullPlan): (Drift & { readonly detail: string })[] {
  return unplanned.map(({ owner, driver, reason: detail }) => ({
    state: 'wrong',
    owner,
    what: `driver ${driver}`,
    detail,
  }));
}
