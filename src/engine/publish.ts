/** `tsnet publish` and `unpublish`: ports of a container that is running already, its other flows untouched. */
import { TsnetError } from '../model/error.ts';
import { parsePortRequest } from '../model/port-mapping.ts';
import type { Endpoint, Network, PublishedPort, Sandbox } from '../model/records.ts';
import { planDifference } from '../plan/sandbox-plan.ts';
import type { Plan } from '../plan/resource.ts';
import { claimPorts, listenersFor, samePort } from './claim-ports.ts';
import { ABANDONED, driverOf, namespacesOf, type EngineContext } from './context.ts';
import type { EndpointChangeAnswer, PublishRequest } from './engine.ts';
import { staleFlows } from './flows.ts';
import { knownSandbox } from './known-sandbox.ts';
import { findNetwork, requireEndpoint } from './lookup.ts';
import { recover } from './recover.ts';
import { attempt, failure } from './undo.ts';
import { withdraw } from './withdraw.ts';

interface Target {
  readonly network: Network;
  readonly sandbox: Sandbox;
  readonly endpoint: Endpoint;
}

async function target(context: EngineContext, request: PublishRequest): Promise<Target> {
  await recover(context);
  const network = context.ledger.read((view) => findNetwork(view, request.network));
  const sandbox = await knownSandbox(context, request.container);
  return { network, sandbox, endpoint: context.ledger.read((view) => requireEndpoint(view, network, sandbox)) };
}

/** What a change of the endpoint's ports adds to, or takes from, its plan. */
function portPlan(context: EngineContext, network: Network, before: Endpoint, after: Endpoint): Plan {
  const driver = driverOf(context, network);
  return planDifference(driver.endpointPlan(network, before), driver.endpointPlan(network, after)).added;
}

export async function publish(
  context: EngineContext,
  request: PublishRequest,
): Promise<EndpointChangeAnswer & { readonly ports: readonly PublishedPort[] }> {
  const { kernel, ledger, self } = context;
  const { network, sandbox, endpoint: found } = await target(context, request);
  const act = `publish ${request.ports.join(', ')} of ${sandbox.name} on ${network.name}`;
  const listeners = found.runtimeHoldsPorts === true ? [] : await listenersFor(context, request.ports);
  const claim = (
    change: Parameters<Parameters<typeof ledger.change>[0]>[0],
  ): { before: Endpoint; after: Endpoint; ports: readonly PublishedPort[] } => {
    const before = change.endpoint(found.id);
    if (before?.state !== 'attached')
      throw new TsnetError('CONFLICT', `${act}: the container is being changed; try again`);
    const ports = claimPorts(context, change, { network, endpoint: before, wanted: request.ports, listeners });
    const after: Endpoint = {
      ...before,
      ports: [...before.ports, ...ports],
      changingPorts: ports,
      state: 'publishing',
      owner: self,
    };
    change.putEndpoint(after);
    return { before, after, ports };
  };
  if (request.dryRun === true) {
    const { before, after, ports } = ledger.rehearse(claim);
    return { endpoint: before, plan: portPlan(context, network, before, after), ports, warnings: [] };
  }
  return context.lock.shared(async () => {
    const { before, after, ports } = ledger.change(claim);
    const plan = portPlan(context, network, before, after);
    const namespaces = namespacesOf(sandbox);
    try {
      await kernel.ensure(plan, namespaces);
      await kernel.forgetFlows(staleFlows(ports));
      const endpoint: Endpoint = { ...before, ports: after.ports };
      ledger.change((change) => {
        change.putEndpoint(endpoint);
      });
      return { endpoint, plan, ports, warnings: [] };
    } catch (error) {
      const undo = await attempt(() => withdraw(context, { ...after, owner: ABANDONED }, ports));
      throw failure(act, error, undo);
    }
  });
}

/** The endpoint's ports that a request names: "8080:80" exactly, or "80" (the container's port) for whatever host port it has. */
function named(endpoint: Endpoint, typed: string): PublishedPort[] {
  const wanted = parsePortRequest(typed);
  return endpoint.ports.filter(
    (port) =>
      port.protocol === wanted.protocol &&
      port.containerPort === wanted.containerPort &&
      port.count === wanted.count &&
      (wanted.hostPort === 'ephemeral' || wanted.hostPort.first === port.hostPort) &&
      (wanted.hostAddress === undefined || wanted.hostAddress === port.hostAddress),
  );
}

export async function unpublish(context: EngineContext, request: PublishRequest): Promise<EndpointChangeAnswer> {
  const { ledger, self } = context;
  const { network, sandbox, endpoint } = await target(context, request);
  const ports = request.ports.flatMap((typed) => {
    const found = named(endpoint, typed);
    if (found.length > 0) return found;
    throw new TsnetError(
      'NOT_FOUND',
      `unpublish ${typed} of ${sandbox.name} on ${network.name}: it is not published; \`tsnet port ${sandbox.name}\` lists what is`,
    );
  });
  const rest = endpoint.ports.filter((port) => !ports.some((gone) => samePort(port, gone)));
  const plan = portPlan(context, network, { ...endpoint, ports: rest }, endpoint);
  if (request.dryRun === true) return { endpoint, plan, warnings: [] };
  await context.lock.shared(async () => {
    const changing = ledger.change((change) => {
      const current = change.endpoint(endpoint.id);
      if (current?.state !== 'attached') {
        throw new TsnetError(
          'CONFLICT',
          `unpublish of ${sandbox.name} on ${network.name}: the container is being changed; try again`,
        );
      }
      const next: Endpoint = { ...current, changingPorts: ports, state: 'unpublishing', owner: self };
      change.putEndpoint(next);
      return next;
    });
    await withdraw(context, changing, ports);
  });
  return { endpoint: { ...endpoint, ports: rest }, plan, warnings: [] };
}
