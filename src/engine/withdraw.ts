/** Taking published ports away from an endpoint: the second half of unpublish, and the undoing of publish. */
import type { Endpoint, PublishedPort } from '../model/records.ts';
import type { Plan, Resource } from '../plan/resource.ts';
import { planDifference } from '../plan/sandbox-plan.ts';
import { samePort } from './claim-ports.ts';
import { ABANDONED, driverOf, namespacesOf, type EngineContext } from './context.ts';
import { portFlows } from './flows.ts';
import { attempt, failure } from './undo.ts';

/** Removes the ports from the kernel and from the ledger; the endpoint is `attached` afterwards. The caller holds the change lock. */
export async function withdraw(
  context: EngineContext,
  endpoint: Endpoint,
  ports: readonly PublishedPort[],
): Promise<void> {
  const { kernel, ledger } = context;
  const { network, sandbox } = ledger.read((view) => ({
    network: view.network(endpoint.networkId),
    sandbox: view.sandbox(endpoint.sandboxId),
  }));
  if (network === undefined || sandbox === undefined) return;
  const rest = endpoint.ports.filter((port) => !ports.some((gone) => samePort(port, gone)));
  const driver = driverOf(context, network);
  const kept = driver.endpointPlan(network, { ...endpoint, ports: rest });
  const { gone } = planDifference(driver.endpointPlan(network, endpoint), kept);
  const failures = await attempt(
    () => kernel.remove(gone, namespacesOf(sandbox)),
    () => kernel.ensure(openedTwice(gone, kept), namespacesOf(sandbox)),
    () => kernel.forgetFlows(portFlows(endpoint, ports)),
  );
  if (failures.length > 0) {
    ledger.change((change) => {
      change.putEndpoint({ ...endpoint, changingPorts: ports, state: 'unpublishing', owner: ABANDONED });
    });
    const [first, ...others] = failures;
    throw failure(`unpublish ports of ${sandbox.name} on ${network.name}`, first, others);
  }
  ledger.change((change) => {
    for (const port of ports) change.releasePort({ ...port, endpointId: endpoint.id });
    const { owner: _owner, changingPorts: _changing, ...settledEndpoint } = endpoint;
    change.putEndpoint({ ...settledEndpoint, ports: rest, state: 'attached' });
  });
}

/**
 * Published ports that stay and lead to a container port that also went by another host port: what opened the container's own
 * address to both (gateway mode routed, trusted links) went with the first.
 */
function openedTwice(gone: Plan, kept: Plan): Plan {
  const opened = new Set(gone.flatMap((resource) => openedPort(resource) ?? []));
  return kept.filter((resource) => opened.has(openedPort(resource) ?? ''));
}

function openedPort(resource: Resource): string | undefined {
  if (resource.kind !== 'publish' || (resource.mode !== 'routed' && resource.direct !== true)) return undefined;
  const { to, protocol, containerPort, count } = resource;
  return `${to} ${protocol} ${containerPort} ${count}`;
}
