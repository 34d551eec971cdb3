/** `tsnet update`: what of a network, or of a container on it, can change while containers run. No flow is cut. */
import { TsnetError } from '../model/error.ts';
import { checkAlias } from '../model/names.ts';
import type { Endpoint, Network } from '../model/records.ts';
import type { Facts, Namespaces } from '../plan/kernel.ts';
import type { Plan } from '../plan/resource.ts';
import { isOfCluster, requiredCluster } from './cluster.ts';
import { driverOf, namespacesOf, type EngineContext } from './context.ts';
import type { ChangeAnswer, EndpointChangeAnswer, UpdateEndpointRequest, UpdateNetworkRequest } from './engine.ts';
import { knownSandbox } from './known-sandbox.ts';
import { findNetwork, requireEndpoint } from './lookup.ts';
import { recover } from './recover.ts';
import { reason } from './undo.ts';

const MTU_OPTION = 'com.docker.network.driver.mtu';

/** IPv4 needs 68 bytes (RFC 791), IPv6 1280 (RFC 8200). */
const LEAST_MTU = { 4: 68, 6: 1280 } as const;
const MOST_MTU = 65_535;

export async function updateNetwork(context: EngineContext, request: UpdateNetworkRequest): Promise<ChangeAnswer> {
  await recover(context);
  const { id, name, predefined } = context.ledger.read((view) => findNetwork(view, request.network));
  const act = `update network ${name}`;
  if (predefined) {
    throw new TsnetError('FORBIDDEN', `${act}: it is predefined, and made of daemon.json's keys; change them there`);
  }
  // A link that is made meanwhile would have the old MTU: the lock keeps connects out until the links of now have the new one.
  return context.lock.exclusive(async () => {
    const facts = await context.kernel.facts();
    const next = updated(context, activeNetwork(context, id, act), request, facts);
    const { plan, namespaces } = request.mtu === undefined ? NOTHING : linksOf(context, next);
    if (request.dryRun === true) return { plan, warnings: [] };
    if (isOfCluster(context, next)) await requiredCluster(context, act).updateNetwork(next);
    context.ledger.changeNetworks((change) => {
      change.putNetwork(next);
    });
    try {
      await context.kernel.ensure(plan, namespaces);
      return { plan, warnings: [] };
    } catch (error) {
      return { plan, warnings: [`${act}: on record, but ${reason(error)}; \`tsnet repair\` tries again`] };
    }
  });
}

const NOTHING: { readonly plan: Plan; readonly namespaces: Namespaces } = { plan: [], namespaces: new Map() };

function activeNetwork({ ledger }: EngineContext, id: string, act: string): Network {
  const network = ledger.read((view) => view.network(id));
  if (network?.state === 'active') return network;
  throw new TsnetError('CONFLICT', `${act}: it is being changed by somebody else; try again`);
}

function updated(
  context: EngineContext,
  network: Network,
  { mtu, labels = {}, removeLabels = [] }: UpdateNetworkRequest,
  facts: Facts,
): Network {
  const act = `update network ${network.name}`;
  const unknown = removeLabels.find((label) => !Object.hasOwn(network.labels, label));
  if (unknown !== undefined) throw new TsnetError('NOT_FOUND', `${act}: it has no label ${unknown}`);
  const kept = Object.entries(network.labels).filter(([label]) => !removeLabels.includes(label));
  const relabelled = { ...network, labels: { ...Object.fromEntries(kept), ...labels } };
  return mtu === undefined ? relabelled : withMtu(context, relabelled, mtu, facts);
}

function withMtu(context: EngineContext, network: Network, mtu: number, facts: Facts): Network {
  const act = `update network ${network.name}`;
  const { changeMtu } = driverOf(context, network);
  if (changeMtu === undefined) {
    throw new TsnetError('UNSUPPORTED', `${act}: driver ${network.driver} cannot change the MTU of a network`);
  }
  const least = LEAST_MTU[network.enableIPv6 ? 6 : 4];
  if (!Number.isInteger(mtu) || mtu < least || mtu > MOST_MTU) {
    throw new TsnetError('INVALID', `${act}: MTU ${mtu}: expected ${least} to ${MOST_MTU}`);
  }
  const { mtu: _ourName, ...options } = network.options;
  return {
    ...network,
    options: { ...options, [MTU_OPTION]: String(mtu) },
    settings: changeMtu(network, { mtu, facts }),
  };
}

/** What of the network, and of the containers on it, has an MTU. */
function linksOf(context: EngineContext, network: Network): typeof NOTHING {
  const driver = driverOf(context, network);
  return context.ledger.read((view) => {
    const endpoints = view.endpointsOfNetwork(network.id).filter(({ state }) => state === 'attached');
    const plan = [
      ...(view.isRealized(network.id) ? driver.networkPlan(network) : []),
      ...endpoints.flatMap((endpoint) => driver.endpointPlan(network, endpoint)),
    ];
    const sandboxes = endpoints.flatMap(({ sandboxId }) => view.sandbox(sandboxId) ?? []);
    return { plan: plan.filter((resource) => 'mtu' in resource), namespaces: namespacesOf(...sandboxes) };
  });
}

export async function updateEndpoint(
  context: EngineContext,
  { network: reference, container, aliases = [], removeAliases = [], dryRun }: UpdateEndpointRequest,
): Promise<EndpointChangeAnswer> {
  await recover(context);
  const network = context.ledger.read((view) => findNetwork(view, reference));
  const sandbox = await knownSandbox(context, container);
  const act = `update ${sandbox.name} on ${network.name}`;
  const added = aliases.map(checkAlias);
  const renamed = ({ aliases: before, ...rest }: Endpoint): Endpoint => {
    const unknown = removeAliases.find((alias) => !before.includes(alias));
    if (unknown !== undefined) throw new TsnetError('NOT_FOUND', `${act}: it has no alias ${unknown} there`);
    return { ...rest, aliases: [...new Set([...before.filter((alias) => !removeAliases.includes(alias)), ...added])] };
  };
  const { id } = context.ledger.read((view) => requireEndpoint(view, network, sandbox));
  const change = context.ledger[dryRun === true ? 'rehearse' : 'change'].bind(context.ledger);
  const endpoint = change((write) => {
    const current = write.endpoint(id);
    if (current?.state !== 'attached') {
      throw new TsnetError('CONFLICT', `${act}: the container is being changed; try again`);
    }
    const next = renamed(current);
    write.putEndpoint(next);
    return next;
  });
  return { endpoint, plan: [], warnings: [] };
}
