/** Whether a runtime's container has what its record says: the plans of its endpoints and its routes against the kernel. */
import { describeResource } from '../plan/describe.ts';
import type { Plan } from '../plan/resource.ts';
import { sandboxPlan } from '../plan/sandbox-plan.ts';
import { tunedPlan } from '../plan/tuned-plan.ts';
import { attachedEndpoints } from './attach.ts';
import { driverOf, namespacesOf, type EngineContext } from './context.ts';
import type { CheckContainerRequest, Drift } from './engine.ts';

/** Nothing for a container that is not known: it has nothing that could differ. */
export async function checkContainer(
  context: EngineContext,
  { container, network: reference, link }: CheckContainerRequest,
): Promise<Drift[]> {
  const found = context.ledger.read((view) => {
    const sandbox = view.sandboxOfRuntime(container.runtime, container.id);
    return sandbox === undefined ? undefined : { sandbox, attached: attachedEndpoints(view, sandbox.id) };
  });
  if (found === undefined) return [];
  const { sandbox, attached } = found;
  const wanted = attached.filter(({ network: { id, name } }) => [id, name, undefined].includes(reference));
  const plan: Plan = [
    ...wanted.flatMap(({ network, endpoint }) =>
      tunedPlan(driverOf(context, network).endpointPlan(network, endpoint), sandbox, link),
    ),
    ...sandboxPlan(sandbox, attached),
  ];
  const observations = await context.kernel.observe(plan, namespacesOf(sandbox));
  return observations.flatMap((observation): Drift[] => {
    if (observation.state === 'present') return [];
    const { state, resource } = observation;
    return [
      {
        state,
        owner: `container ${sandbox.name}`,
        what: describeResource(resource),
        ...(observation.state === 'wrong' ? { detail: observation.detail } : {}),
      },
    ];
  });
}
