/** `tsnet create`. */
import { familyOf, parsePrefix } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import { randomId, timestamp } from '../model/ids.ts';
import { checkNetworkName } from '../model/names.ts';
import type { LedgerView } from '../model/ledger.ts';
import { DOCKER_IPAM, type Family, type JsonValue, type Network, type Pool } from '../model/records.ts';
import type { Facts } from '../plan/kernel.ts';
import type { ClusterDraft, Driver, DriverDefaults } from '../plan/driver.ts';
import type { UsedSubnet } from '../ipam/choose-pool.ts';
import { completePools, type PoolRequest } from '../ipam/complete-pool.ts';
import { overlappingRoutes, refuseOverlap } from '../ipam/overlap.ts';
import { chooseSubnet } from './choose-subnet.ts';
import { isClustered, localized, requiredCluster, vnisOf } from './cluster.ts';
import { driverOf, settled, type EngineContext } from './context.ts';
import { checkDhcpNetwork, checkDhcpRequest, DHCP, isDhcp } from './dhcp-network.ts';
import { noSuchDriver } from './drivers.ts';
import type { CreateNetworkAnswer, CreateNetworkRequest, IpamRequest } from './engine.ts';
import { parseOptions } from './parse-options.ts';
import { recover } from './recover.ts';
import { finishNetworkRemoval } from './finish-network-removal.ts';
import { withRemotePools, type RemotePools } from './remote-pools.ts';
import { lanNeighbours } from './shared-lan.ts';
import { attempt, failure } from './undo.ts';

/** A network that Docker makes through our plugin. */
export interface DockerNetworkRequest {
  /** Docker's id of it. */
  readonly id: string;
  /** Subnets that Docker's IPAM holds with us, for this network; none: Docker's own IPAM gives the addresses. */
  readonly ownSubnets: readonly string[];
}

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

interface DraftInput {
  readonly request: CreateNetworkRequest;
  readonly driver: Driver;
  readonly facts: Facts;
  readonly typed: Awaited<ReturnType<typeof parseOptions>>;
  readonly remote: RemotePools | undefined;
  readonly docker: DockerNetworkRequest | undefined;
  /** For a network of a cluster. */
  readonly cluster?: ClusterDraft;
}

/** The record of a network that does not exist yet, every conflict with those that do refused. */
function draftNetwork(
  context: EngineContext,
  view: LedgerView,
  { request, driver, facts, typed, remote, docker, cluster }: DraftInput,
): Network {
  const { name } = request;
  const other = view.networkByName(name);
  if (other !== undefined) {
    throw new TsnetError(
      'CONFLICT',
      `create network ${name}: a network of that name exists (${other.id.slice(0, 12)})`,
    );
  }
  const id = docker?.id ?? randomId();
  const enableIPv4 = request.enableIPv4 ?? true;
  const enableIPv6 = request.enableIPv6 ?? (request.ipam ?? []).some(({ subnet }) => subnet?.includes(':'));
  if (!enableIPv4 && !enableIPv6) {
    throw new TsnetError('INVALID', `create network ${name}: IPv4 or IPv6 must be enabled`);
  }
  const used = usedSubnets(view).filter(
    ({ network, subnet }) => network !== DOCKERS || docker?.ownSubnets.includes(subnet) !== true,
  );
  let pools: readonly Pool[];
  try {
    const requests = poolRequests(context, view, request, { enableIPv4, enableIPv6 }, used, facts);
    pools = completePools({ requests, gateway: driver.ipam === 'lan' ? 'given' : 'default' });
    for (const pool of pools) {
      const shared = driver.ipam === 'lan' ? lanNeighbours(context, view, pool, request.ipamDriver === DHCP) : [];
      refuseOverlap(
        pool.subnet,
        used.filter(({ network }) => !shared.some((neighbour) => neighbour.name === network)),
      );
    }
  } catch (error) {
    if (error instanceof TsnetError)
      throw new TsnetError(error.code, `create network ${name}: ${error.message}`, { cause: error });
    throw error;
  }
  const internal = request.internal ?? false;
  const network = {
    version: 1,
    id,
    name,
    driver: driver.name,
    scope: driver.scope,
    createdAt: timestamp(context.now()),
    internal,
    attachable: request.attachable ?? false,
    enableIPv4,
    enableIPv6,
    ipamDriver: remote?.driver ?? request.ipamDriver ?? (docker?.ownSubnets.length === 0 ? DOCKER_IPAM : 'default'),
    ipamOptions: request.ipamOptions ?? {},
    ...(remote === undefined ? {} : { poolIds: remote.poolIds }),
    pools,
    options: request.options ?? {},
    labels: request.labels ?? {},
    predefined: false,
    ...(docker === undefined ? {} : { docker: {} }),
    state: 'creating',
    owner: context.self,
  } as const;
  const settings = driver.configure({
    draft: { id, name, internal, enableIPv4, enableIPv6, pools, options: typed, predefined: false },
    networks: view.networks(),
    facts,
    defaults: driverDefaults(context),
    ...(cluster === undefined ? {} : { cluster }),
  });
  refuseSameBridge(view, name, settings['bridge']);
  const configured: Network = { ...network, settings };
  if (isDhcp(configured)) checkDhcpNetwork(context, configured);
  const { caveat } = driverOf(context, configured).endpointDefaults(configured);
  return { ...configured, ...(caveat === undefined ? {} : { caveat }) };
}

/** Two networks on one bridge would share its addresses and rules. */
function refuseSameBridge(view: LedgerView, name: string, bridge: JsonValue | undefined): void {
  if (typeof bridge !== 'string') return;
  const holder = view.networks().find((network) => network.settings['bridge'] === bridge);
  if (holder === undefined) return;
  throw new TsnetError(
    'FORBIDDEN',
    `create network ${name}: bridge ${bridge} is network ${holder.name}'s; choose another with -o bridge.name=NAME`,
  );
}

/** Whose a subnet is that Docker's IPAM holds with us and no network has. */
const DOCKERS = 'that Docker made with --ipam-driver tsnet';

/** The subnets of all networks; the default network's is spoken for even before it is up. */
export function usedSubnets(view: LedgerView): UsedSubnet[] {
  const used = view.networks().flatMap(({ name, pools }) => pools.map(({ subnet }) => ({ network: name, subnet })));
  const known = new Set(used.map(({ subnet }) => subnet));
  const held = view.dockerPools().filter(({ subnet }) => !known.has(subnet));
  return [...used, ...held.map(({ subnet }) => ({ network: DOCKERS, subnet }))];
}

/** What was asked for, with a subnet chosen for each enabled family that names none. */
function poolRequests(
  context: EngineContext,
  view: LedgerView,
  request: CreateNetworkRequest,
  enabled: { readonly enableIPv4: boolean; readonly enableIPv6: boolean },
  used: readonly UsedSubnet[],
  facts: Facts,
): PoolRequest[] {
  const asked = request.ipam ?? [];
  const given = asked.flatMap((one) => (one.subnet === undefined ? [] : [{ ...one, subnet: one.subnet }]));
  const bare = asked.filter(({ subnet }) => subnet === undefined);
  const of = (family: Family): readonly PoolRequest[] => given.filter(({ subnet }) => familyOf(subnet) === family);
  const chosen = (family: Family): PoolRequest => ({
    ...withoutSubnet(bare, family),
    subnet: chooseSubnet(context, view, { family, used, facts }),
  });
  return ([4, 6] as const).flatMap((family): readonly PoolRequest[] => {
    if (!(family === 4 ? enabled.enableIPv4 : enabled.enableIPv6)) return [];
    // What a DHCP server gives is in the subnet that it says.
    return of(family).length > 0 || request.ipamDriver === DHCP ? of(family) : [chosen(family)];
  });
}

/** Gateway, range and aux addresses that were given without a subnet, for the one that is chosen. */
function withoutSubnet(bare: readonly IpamRequest[], family: Family): Omit<PoolRequest, 'subnet'> {
  const one = bare.find(({ gateway, range }) => familyOf(gateway ?? range ?? '0.0.0.0') === family);
  if (one === undefined) return {};
  const { subnet: _subnet, ...rest } = one;
  return rest;
}

export function driverDefaults({ config }: EngineContext): DriverDefaults {
  return {
    ipForward: config.ipForward,
    ipMasquerade: config.ipMasq,
    icc: config.icc,
    mtu: 0,
    publishAddress: config.ip,
    allowDirectRouting: config.allowDirectRouting,
  };
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
