/**
 * What the networks have on the host that events do not name by a tag of ours: links that the administrator made (an existing
 * bridge, the parent of a macvlan network), policy rules, and kernel parameters, of which most change without an event.
 */
import { driverOf, type EngineContext } from '../../engine/context.ts';
import type { Resource, SysctlResource } from '../../plan/resource.ts';

export interface Interests {
  /** Networks, by id, that have to do with a link of the host. */
  networksOf(link: string): readonly string[];
  /** Networks with policy rules in the host's namespace. */
  readonly withRules: readonly string[];
  readonly parameters: readonly { readonly parameter: SysctlResource; readonly networkId: string }[];
}

export function readInterests(context: EngineContext): Interests {
  const links = new Map<string, Set<string>>();
  const withRules = new Set<string>();
  const parameters = new Map<string, Interests['parameters'][number]>();
  const up = context.ledger.read((view) =>
    view.networks().filter(({ id, state }) => state === 'active' && view.isRealized(id)),
  );
  for (const network of up) {
    for (const resource of planOf(context, network)) {
      for (const link of linksOf(resource)) {
        const networks = links.get(link) ?? new Set();
        links.set(link, networks.add(network.id));
      }
      if (resource.kind === 'rule' && resource.place === 'host') withRules.add(network.id);
      if (resource.kind === 'sysctl' && resource.place === 'host')
        parameters.set(resource.key, { parameter: resource, networkId: network.id });
    }
  }
  return {
    networksOf: (link) => [...(links.get(link) ?? [])],
    withRules: [...withRules],
    parameters: [...parameters.values()],
  };
}

/** Nothing where its driver is gone or broken. */
function planOf(context: EngineContext, network: Parameters<typeof driverOf>[1]): readonly Resource[] {
  try {
    return driverOf(context, network).networkPlan(network);
  } catch {
    return [];
  }
}

function linksOf(resource: Resource): readonly string[] {
  if (resource.kind === 'bridge' || resource.kind === 'dummy' || resource.kind === 'vxlan') return [resource.name];
  if (resource.kind === 'vlan' || resource.kind === 'macvlan' || resource.kind === 'ipvlan')
    return [resource.name, resource.parent];
  return 'link' in resource && 'place' in resource && resource.place === 'host' ? [resource.link] : [];
}
