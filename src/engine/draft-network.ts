/** One network's record, drafted: subnets, settings of its driver, and every conflict with those that are there. */
import { familyOf } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import { randomId, timestamp } from '../model/ids.ts';
import type { LedgerView } from '../model/ledger.ts';
import { DOCKER_IPAM, type Family, type JsonValue, type Network, type Pool } from '../model/records.ts';
import type { Facts } from '../plan/kernel.ts';
import type { ClusterDraft, Driver, DriverDefaults } from '../plan/driver.ts';
import type { UsedSubnet } from '../ipam/choose-pool.ts';
import { completePools, type PoolRequest } from '../ipam/complete-pool.ts';
import { refuseOverlap } from '../ipam/overlap.ts';
import { chooseSubnet } from './choose-subnet.ts';
import { isClustered } from './cluster.ts';
import { driverOf, type EngineContext } from './context.ts';
import { checkDhcpNetwork, DHCP, isDhcp } from './dhcp-network.ts';
import type { CreateNetworkRequest, IpamRequest } from './engine.ts';
import type { parseOptions } from './parse-options.ts';
import { type RemotePools } from './remote-pools.ts';
import { lanNeighbours } from './shared-lan.ts';

/** A network that Docker makes through our plugin. */
export interface DockerNetworkRequest {
  /** Docker's id of it. */
  readonly id: string;
  /** Subnets that Docker's IPAM holds with us, for this network; none: Docker's own IPAM gives the addresses. */
  readonly ownSubnets: readonly string[];
}

export interface DraftInput {
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
export function draftNetwork(
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
    ...(docker === undefined || !isClustered(driver) ? {} : { goesWithDocker: true as const }),
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
