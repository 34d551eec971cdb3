/**
 * The plan of an endpoint whose container side a runtime sets up (`Endpoint.handOver`): what the driver planned for the host is
 * ours; links of the sandbox are born on the host for the runtime to take; the rest of the sandbox is the runtime's.
 */
import type { Endpoint } from '../model/records.ts';
import { isFirewall, type HandedOver, type Plan, type Resource } from './resource.ts';

/** The driver's plan as it is, where the container side is ours. */
export function handedPlan(plan: Plan, { handOver }: Pick<Endpoint, 'handOver'>): Plan {
  if (handOver === undefined) return plan;
  const { link, stage } = handOver;
  if (stage === 'reserved') return [];
  return plan.flatMap((resource) => handed(resource, link, stage === 'taken' ? 'done' : 'due') ?? []);
}

function handed(resource: Resource, link: string, handOver: HandedOver): Resource | undefined {
  if (isFirewall(resource)) return resource;
  switch (resource.kind) {
    case 'veth':
      return { ...resource, peer: link, handOver };
    case 'macvlan':
    case 'ipvlan':
      return resource.place === 'host' ? resource : { ...resource, place: 'host', name: link, handOver };
    case 'plugin-endpoint':
      return undefined;
    case 'address':
    case 'link-up':
    case 'neighbour':
    case 'route':
    case 'rule':
    case 'sysctl':
      return resource.place === 'host' ? resource : undefined;
    case 'bridge':
    case 'dummy':
    case 'fdb':
    case 'plugin-network':
    case 'vlan':
    case 'vxlan':
      return resource;
  }
}
