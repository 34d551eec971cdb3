/**
 * Subnets that a Docker IPAM plugin gives (`--ipam-driver NAME`): asked for before the network is written, since nothing waits for
 * a plugin inside a transaction, and given back where the network does not come about.
 */
import { familyOf } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import { nearestName } from '../model/names.ts';
import type { Family, Network } from '../model/records.ts';
import { isRefusal } from '../plan/network-plugin.ts';
import { GATEWAY_WISH, type IpamPlugin, type PluginSubnet, type PoolWish } from '../plan/ipam-plugin.ts';
import { overlappingRoutes } from '../ipam/overlap.ts';
import type { EngineContext } from './context.ts';
import { DHCP } from './dhcp-network.ts';
import type { CreateNetworkRequest, IpamRequest } from './engine.ts';
import { attempt, failure } from './undo.ts';

/** What a plugin has given for a network. */
export interface RemotePools {
  readonly driver: string;
  /** The request with the plugin's subnets and gateways in the place of what was left open. */
  readonly ipam: readonly IpamRequest[];
  /** Subnet → the plugin's id of it. */
  readonly poolIds: Readonly<Record<string, string>>;
}

export interface PoolsRequest {
  readonly request: CreateNetworkRequest;
  /** `given`: no gateway unless one is asked for. */
  readonly gateway: 'default' | 'given';
  /** Subnets that a plugin which may choose should not choose. */
  readonly avoid: readonly string[];
}

/** Subnets in the way that are put aside before we give up. */
const ASIDE_AT_MOST = 32;

/** Runs `work` with the subnets of the IPAM driver that was asked for; undefined for our own, and for DHCP servers. */
export async function withRemotePools<T>(
  context: EngineContext,
  wanted: PoolsRequest,
  work: (pools: RemotePools | undefined) => Promise<T>,
): Promise<T> {
  const { request } = wanted;
  const driver = request.ipamDriver ?? 'default';
  if (driver === 'default' || driver === DHCP) return work(undefined);
  const plugin = context.ipamPlugins.find(driver);
  if (plugin === undefined) throw noSuchIpamDriver(context, driver, request.name);
  const given: Held[] = [];
  try {
    const ipam = await hold(plugin, wanted, given).catch((error: unknown) => {
      throw failure(`create network ${request.name}`, error, []);
    });
    const poolIds = Object.fromEntries(given.map(({ subnet: { subnet, poolId } }) => [subnet, poolId]));
    return await work({ driver, ipam, poolIds });
  } catch (error) {
    // Where that fails too, it is for the same reason, which is told.
    if (!isOnRecord(context, given)) await attempt(() => giveBack(plugin, given));
    throw error;
  } finally {
    if (request.dryRun === true) await giveBack(plugin, given);
  }
}

/** A subnet of the plugin, with the addresses of it that the network itself needs. */
interface Held {
  readonly subnet: PluginSubnet;
  readonly addresses: string[];
}

/** Asks for everything that the network needs, and notes each in `given` as soon as it is there. */
async function hold(
  plugin: IpamPlugin,
  { request, gateway: mode, avoid }: PoolsRequest,
  given: Held[],
): Promise<IpamRequest[]> {
  const ipam: IpamRequest[] = [];
  for (const family of families(request)) {
    for (const one of wishes(request, family)) {
      const subnet = await requestPool(plugin, { family, ...one, options: request.ipamOptions ?? {} }, avoid);
      const addresses: string[] = [];
      given.push({ subnet, addresses });
      const gateway = await requestGateway(plugin, subnet, { asked: one.gateway, mode });
      if (gateway !== undefined) addresses.push(gateway);
      for (const address of Object.values(one.aux ?? {})) {
        addresses.push(await plugin.requestAddress({ poolId: subnet.poolId, address, options: {} }));
      }
      ipam.push({ ...one, subnet: subnet.subnet, ...(gateway === undefined ? {} : { gateway }) });
    }
  }
  return ipam;
}

async function giveBack(plugin: IpamPlugin, given: readonly Held[]): Promise<void> {
  for (const { subnet, addresses } of given) await release(plugin, subnet.poolId, addresses);
}

/** Gives the subnets of a network back to its IPAM plugin. A plugin that answers that it knows nothing of them is done. */
export async function releasePools(context: EngineContext, network: Network): Promise<void> {
  const { poolIds, pools } = network;
  if (poolIds === undefined) return;
  const plugin = requiredPlugin(context, network);
  for (const { subnet, gateway, aux } of pools) {
    const poolId = poolIds[subnet];
    if (poolId === undefined) continue;
    await release(plugin, poolId, [...(gateway === undefined ? [] : [gateway]), ...Object.values(aux)]);
  }
}

/** The IPAM plugin of a network on record. */
export function requiredPlugin({ ipamPlugins }: EngineContext, { name, ipamDriver }: Network): IpamPlugin {
  const plugin = ipamPlugins.find(ipamDriver);
  if (plugin !== undefined) return plugin;
  throw new TsnetError('NOT_FOUND', `network ${name}: its IPAM plugin ${ipamDriver} is not there; start or install it`);
}

async function release(plugin: IpamPlugin, poolId: string, addresses: readonly string[]): Promise<void> {
  for (const address of addresses) await tolerantly(() => plugin.releaseAddress(poolId, address));
  await tolerantly(() => plugin.releasePool(poolId));
}

/** What a plugin refuses to take back it does not have. */
export async function tolerantly(tell: () => Promise<void>): Promise<void> {
  try {
    await tell();
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}

/** A subnet that collides with a route of the host or with another network is put aside, and another asked for. */
async function requestPool(plugin: IpamPlugin, wish: PoolWish, avoid: readonly string[]): Promise<PluginSubnet> {
  const aside: PluginSubnet[] = [];
  try {
    for (;;) {
      const subnet = await plugin.requestPool(wish);
      const inTheWay = wish.subnet === undefined ? overlappingRoutes(subnet.subnet, avoid) : [];
      if (inTheWay.length === 0) return subnet;
      aside.push(subnet);
      if (aside.length < ASIDE_AT_MOST && aside.filter(({ poolId }) => poolId === subnet.poolId).length < 2) continue;
      throw new TsnetError(
        'EXHAUSTED',
        `the IPAM plugin gives ${subnet.subnet}, which ${inTheWay.join(', ')} overlaps; name another with --subnet`,
      );
    }
  } finally {
    for (const poolId of new Set(aside.map((one) => one.poolId))) await tolerantly(() => plugin.releasePool(poolId));
  }
}

interface GatewayWish {
  readonly asked: string | undefined;
  readonly mode: 'default' | 'given';
}

async function requestGateway(
  plugin: IpamPlugin,
  { poolId, gateway }: PluginSubnet,
  { asked, mode }: GatewayWish,
): Promise<string | undefined> {
  const address = asked ?? gateway;
  if (address === undefined && mode === 'given') return undefined;
  return plugin.requestAddress({ poolId, ...(address === undefined ? {} : { address }), options: GATEWAY_WISH });
}

function families({ enableIPv4, enableIPv6, ipam }: CreateNetworkRequest): Family[] {
  const six = enableIPv6 ?? (ipam ?? []).some(({ subnet }) => subnet?.includes(':'));
  return [...((enableIPv4 ?? true) ? [4 as const] : []), ...(six ? [6 as const] : [])];
}

/** What was asked for of a family; where nothing was, whatever the plugin has. */
function wishes({ ipam = [] }: CreateNetworkRequest, family: Family): readonly IpamRequest[] {
  const asked = ipam.filter(
    ({ subnet, gateway, range }) => familyOf(subnet ?? gateway ?? range ?? '0.0.0.0') === family,
  );
  return asked.length > 0 ? asked : [{}];
}

function isOnRecord(context: EngineContext, given: readonly Held[]): boolean {
  const poolIds = given.map(({ subnet }) => subnet.poolId);
  return context.ledger.read((view) =>
    view.networks().some((network) => Object.values(network.poolIds ?? {}).some((id) => poolIds.includes(id))),
  );
}

function noSuchIpamDriver({ ipamPlugins }: EngineContext, driver: string, name: string): TsnetError {
  const names = ['default', DHCP, ...ipamPlugins.names()];
  const near = nearestName(driver, names);
  return new TsnetError(
    'NOT_FOUND',
    `create network ${name}: there is no IPAM driver "${driver}"; ${near === undefined ? '' : `did you mean "${near}"? `}drivers: ${names.join(', ')}`,
  );
}
