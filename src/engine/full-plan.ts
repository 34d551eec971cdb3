/**
 * The plan of everything that should exist right now, with the owner of each resource: what diff, repair and gc compare
 * the kernel with.
 */
import type { Sandbox } from '../model/records.ts';
import type { Namespaces } from '../plan/kernel.ts';
import type { Plan, Resource } from '../plan/resource.ts';
import { sandboxPlan } from '../plan/sandbox-plan.ts';
import { attachedEndpoints } from './attach.ts';
import { driverOf, namespacesOf, type EngineContext } from './context.ts';

export interface Section {
  /** "network web", "container db on web", "container db". */
  readonly owner: string;
  readonly plan: Plan;
  /** The network that this section brings up, when it is one's own. */
  readonly networkId?: string;
}

export interface FullPlan {
  readonly sections: readonly Section[];
  readonly plan: Plan;
  readonly namespaces: Namespaces;
  readonly ownerOf: ReadonlyMap<Resource, string>;
}

export interface FullPlanOptions {
  /** Sandboxes whose kernel side is gone for good. */
  readonly without?: ReadonlySet<string>;
}

export function fullPlan(context: EngineContext, options: FullPlanOptions = {}): FullPlan {
  const sections: Section[] = [];
  const sandboxes: Sandbox[] = [];
  context.ledger.read((view) => {
    for (const network of view.networks()) {
      // The default network comes up with its first container; networks that somebody created are wanted always.
      if (network.predefined && !view.isRealized(network.id)) continue;
      if (network.state !== 'active') continue;
      sections.push({
        owner: `network ${network.name}`,
        plan: driverOf(context, network).networkPlan(network),
        networkId: network.id,
      });
    }
    for (const sandbox of view.sandboxes()) {
      if (options.without?.has(sandbox.id) === true) continue;
      sandboxes.push(sandbox);
      const attached = attachedEndpoints(view, sandbox.id);
      for (const { endpoint, network } of attached) {
        sections.push({
          owner: `container ${sandbox.name} on ${network.name}`,
          plan: driverOf(context, network).endpointPlan(network, endpoint),
        });
      }
      sections.push({ owner: `container ${sandbox.name}`, plan: sandboxPlan(sandbox, attached) });
    }
  });
  return {
    sections,
    plan: sections.flatMap(({ plan }) => plan),
    namespaces: namespacesOf(...sandboxes),
    ownerOf: new Map(sections.flatMap(({ owner, plan }) => plan.map((resource) => [resource, owner] as const))),
  };
}
