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
  if (resource.kind === 'veth') return { ...resource, peer: link, handOver };
  if (resource.kind === 'plugin-endpoint') return undefined;
  if (!('place' in resource) || resource.place === 'host') return resource;
  return resource.kind === 'macvlan' || resource.kind === 'ipvlan'
    ? { ...resource, place: 'host', name: link, handOver }
    : undefined;
}
