/** `tsnet create`. */
import { parsePrefix } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import { checkNetworkName } from '../model/names.ts';
import type { LedgerView } from '../model/ledger.ts';
import { type Network } from '../model/records.ts';
import type { Facts } from '../plan/kernel.ts';
import type { Driver } from '../plan/driver.ts';
import { overlappingRoutes } from '../ipam/overlap.ts';
import { isClustered, localized, refuseRoutedIPv6, requiredCluster, vnisOf } from './cluster.ts';
import { settled, type EngineContext } from './context.ts';
import { checkDhcpRequest, DHCP } from './dhcp-network.ts';
import { noSuchDriver } from './drivers.ts';
import type { CreateNetworkAnswer, CreateNetworkRequest } from './engine.ts';
import { parseOptions } from './parse-options.ts';
import { recover } from './recover.ts';
import { finishNetworkRemoval } from './finish-network-removal.ts';
import { withRemotePools } from './remote-pools.ts';
import { attempt, failure } from './undo.ts';
import { draftNetwork, usedSubnets, type DockerNetworkRequest, type DraftInput } from './draft-network.ts';

const RESERVED_NAMES = ['bridge', 'host', 'none', 'default'];

export async function createNetwork(
  context: EngineContext,
  request: CreateNetworkRequest,
  docker?: DockerNetworkRequest,
): Promise<CreateNetworkAnswer> {
  const name = checkNetworkName(request.name);
  if (RESERVED_NAMES.includes(name)) {
    throw new TsnetError(
      'FORBIDDEN',
      `create network ${name}: the name is that of a predefined network; choose another`,
    );
  }
  const driverName = request.driver ?? 'bridge';
  const driver = await context.drivers.find(driverName);
  if (driver === undefined) throw await noSuchDriver(context.drivers, driverName, `create network ${name}`);
  if (driver.ipam === 'none') {
    throw new TsnetError(
      'FORBIDDEN',
      `create network ${name}: there is one ${driver.name} network and it is predefined`,
    );
  }
  if (request.ipamDriver === DHCP) checkDhcpRequest({ ...request, name }, driver);
  await recover(context);
  const options = { ...context.config.defaultNetworkOpts[driver.name], ...request.options };
  await checkEndpointLink(context, driver, name);
  const typed = await parseOptions(driver, options, `create network ${name}`);
  const facts = await context.kernel.facts();
  const wanted = {
    request: { ...request, name },
    gateway: driver.ipam === 'lan' ? 'given' : 'default',
    avoid: [
      ...facts.routes.map(({ destination }) => destination),
      ...context.ledger.read(usedSubnets).map(({ subnet }) => subnet),
    ],
  } as const;
  return withRemotePools(context, wanted, (remote) => {
    const input = {
      request: { ...request, name, options, ...(remote === undefined ? {} : { ipam: remote.ipam }) },
      driver,
      facts,
      typed,
      remote,
      docker,
    };
    return isClustered(driver) ? createForCluster(context, input) : createDrafted(context, input, draftNetwork);
  });
}

/** A network that could take no container is not made. */
async function checkEndpointLink({ kernel }: EngineContext, { endpointLink }: Driver, name: string): Promise<void> {
  if (endpointLink === undefined || (await kernel.supportedLinkKinds([endpointLink])).get(endpointLink) !== false)
    return;
  throw new TsnetError(
    'UNSUPPORTED',
    `create network ${name}: this kernel has no ${endpointLink} links; it needs CONFIG_${endpointLink.toUpperCase()} (module ${endpointLink})`,
  );
}

const MOST_VNI_TRIES = 8;

/** Claims name, subnets and number in the cluster first; another host may be making the same network. */
async function createForCluster(context: EngineContext, input: DraftInput): Promise<CreateNetworkAnswer> {
  const { request } = input;
  const act = `create network ${request.name}`;
  const cluster = requiredCluster(context, act);
  for (let tries = 0; tries < MOST_VNI_TRIES; tries++) {
    const given = await cluster.draft();
    const asked = Number(input.typed['vni'] ?? given.vnis[0]);
    const drafted = { ...input, cluster: { ...given, vnis: [asked] } };
    const shared = context.ledger.read((view) => draftNetwork(context, view, drafted));
    if (input.docker !== undefined) refuseRoutedIPv6(context, shared, act);
    const network = localized(context, shared, cluster.underlay());
    const create = (): Promise<CreateNetworkAnswer> =>
      createDrafted(context, drafted, (_, view) => {
        // Whatever came in between is refused.
        draftNetwork(context, view, drafted);
        return network;
      });
    if (request.dryRun === true) return create();
    const answer = await cluster.withNetwork(shared, vnisOf(context, network), create);
    if (answer !== 'vni-taken') return answer;
  }
  throw new TsnetError('CONFLICT', `${act}: its VXLAN number is another network's; choose another`);
}

type Draft = (context: EngineContext, view: LedgerView, input: DraftInput) => Network;

/** Writes the network down, makes it, and says that it is there. */
async function createDrafted(context: EngineContext, input: DraftInput, draftIt: Draft): Promise<CreateNetworkAnswer> {
  const { request, driver, facts } = input;
  const { name } = request;
  const draft = (view: LedgerView): Network => draftIt(context, view, input);
  if (request.dryRun === true) {
    const network = context.ledger.read(draft);
    return {
      id: network.id,
      warnings: warnings(network, { request, facts }),
      plan: driver.networkPlan(network),
    };
  }
  // Planned before it is written: a record without a plan could neither be made nor removed.
  const { network, plan } = context.ledger.changeNetworks((change) => {
    const made = draft(change);
    const planned = driver.networkPlan(made);
    change.putNetwork(made);
    return { network: made, plan: planned };
  });
  return context.lock.shared(async () => {
    try {
      await context.kernel.ensure(plan, new Map());
      context.ledger.changeNetworks((change) => {
        change.putNetwork(settled(network, 'active'));
        change.setRealized(network.id, true);
      });
    } catch (error) {
      throw failure(`create network ${name}`, error, await attempt(() => finishNetworkRemoval(context, network)));
    }
    return { id: network.id, warnings: warnings(network, { request, facts }), plan };
  });
}

function warnings(network: Network, { request, facts }: Pick<DraftInput, 'request' | 'facts'>): string[] {
  const { caveat } = network;
  return [...(caveat === undefined ? [] : [caveat]), ...overlapWarnings(network, request, facts)];
}

function overlapWarnings(network: Network, request: CreateNetworkRequest, facts: Facts): string[] {
  const explicit = new Set((request.ipam ?? []).map(({ subnet }) => subnet));
  // What leads to the network's own segment is no other place.
  const own = [network.settings['bridge'], network.settings['parent']];
  return network.pools.flatMap(({ subnet }) => {
    if (!explicit.has(subnet)) return [];
    const routes = facts.routes
      .filter(({ link }) => !own.includes(link))
      .filter(({ destination }) => parsePrefix(destination).length > 0);
    const hit = overlappingRoutes(
      subnet,
      routes.map(({ destination }) => destination),
    );
    return hit.map((destination) => {
      const link = routes.find((route) => route.destination === destination)?.link ?? '?';
      return `subnet ${subnet} overlaps this host's route ${destination} dev ${link}: containers will not reach what is behind it`;
    });
  });
}
