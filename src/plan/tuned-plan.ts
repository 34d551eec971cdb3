/**
 * The links of containers whose MAC and MTU others may change: those that a CNI runtime attaches, by a list in which plugins behind
 * ours (`tuning`) do so and tell nobody but the runtime.
 */
import type { Sandbox } from '../model/records.ts';
import type { IpvlanResource, LinkTuning, MacvlanResource, Plan, Resource, VethResource } from './resource.ts';

/** The plan of a container's endpoint, its link to be compared with `tuning` alone where others may have changed it. */
export function tunedPlan(plan: Plan, { origin }: Pick<Sandbox, 'origin'>, tuning: LinkTuning = {}): Plan {
  if (origin.kind !== 'cni') return plan;
  return plan.map((resource) => (isSandboxLink(resource) ? { ...resource, tuning } : resource));
}

function isSandboxLink(resource: Resource): resource is VethResource | MacvlanResource | IpvlanResource {
  return resource.kind === 'veth' || resource.kind === 'macvlan' || resource.kind === 'ipvlan';
}
