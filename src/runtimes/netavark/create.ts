/**
 * `create`: what an administrator left open of a new network is decided. Podman 6 asks netavark so, and every podman since 4.4 a
 * plugin; nothing is made, podman keeps the answer and brings it along with each container.
 */
import type { Engine } from '../../engine/engine.ts';
import { choosePool, type UsedSubnet } from '../../ipam/choose-pool.ts';
import { completePools } from '../../ipam/complete-pool.ts';
import { refuseOverlap } from '../../ipam/overlap.ts';
import { ulaPool } from '../../ipam/ula.ts';
import { familyOf } from '../../model/address.ts';
import type { AddressPool } from '../../model/config.ts';
import { TsnetError } from '../../model/error.ts';
import type { Family, JsonObject } from '../../model/records.ts';
import { has, member, objects, optionalMember, optionalText, text, texts, whole, type Fields } from './json-fields.ts';
import { readNetwork, withPluginDriver, type PodmanNetwork, type PodmanSubnet } from './network-info.ts';
import { JOINS, planNetwork } from './network-plan.ts';

const DEFAULT_BRIDGE_PREFIX = 'podman';
const BITS = 128;

/** What is spoken for, and where subnets are taken from. */
interface Room {
  readonly interfaces: readonly string[];
  readonly subnets: readonly UsedSubnet[];
  readonly pools: readonly AddressPool[];
  readonly bridgePrefix: string;
}

export interface CreateHelp {
  readonly engine: Pick<Engine, 'info' | 'inspectNetwork' | 'listNetworks'>;
  readonly uplink: () => string | undefined;
}

/** @returns the network as podman is to keep it. @throws TsnetError */
export async function createNetworkConfig(document: Fields, help: CreateHelp): Promise<JsonObject> {
  const isPlugin = !has(document, 'network');
  const given = isPlugin ? document : member(document, 'network');
  const network = isPlugin ? withPluginDriver(readNetwork(given)) : readNetwork(given);
  const room = isPlugin ? await ownRoom(help) : await podmanRoom(document, help);
  const completed = await complete(network, room, help);
  // Refused now rather than at the first container.
  planNetwork(completed, help.uplink);
  return {
    ...given.object,
    ...(completed.networkInterface === undefined ? {} : { network_interface: completed.networkInterface }),
    ...(completed.subnets.length === 0 ? {} : { subnets: completed.subnets.map(subnetJson) }),
    ipv6_enabled: completed.ipv6Enabled,
    ipam_options: { ...optionalMember(given, 'ipam_options')?.object, driver: completed.ipamDriver },
  };
}

async function ownRoom({ engine }: CreateHelp): Promise<Room> {
  return {
    interfaces: [],
    subnets: await ourSubnets(engine),
    pools: [...(await engine.info()).addressPools],
    bridgePrefix: DEFAULT_BRIDGE_PREFIX,
  };
}

async function ourSubnets(engine: CreateHelp['engine']): Promise<UsedSubnet[]> {
  const networks = await engine.listNetworks();
  return networks.flatMap(({ name, pools }) => pools.map(({ subnet }) => ({ network: name, subnet })));
}

async function podmanRoom(document: Fields, { engine }: CreateHelp): Promise<Room> {
  const used = optionalMember(document, 'used');
  const options = optionalMember(document, 'options');
  const pools = options === undefined ? [] : objects(options, 'subnet_pools').map(readPool);
  const prefix = options === undefined ? undefined : optionalText(options, 'default_interface_name');
  const theirs = used === undefined ? [] : texts(used, 'subnets').map((subnet) => ({ network: 'podman', subnet }));
  return {
    interfaces: used === undefined ? [] : texts(used, 'interfaces'),
    subnets: [...theirs, ...(await ourSubnets(engine))],
    pools: pools.length > 0 ? pools : [...(await engine.info()).addressPools],
    bridgePrefix: prefix === undefined || prefix === '' ? DEFAULT_BRIDGE_PREFIX : prefix,
  };
}

function readPool(fields: Fields): AddressPool {
  return { base: text(fields, 'base'), size: whole(fields, 'size', BITS) };
}

async function complete(network: PodmanNetwork, room: Room, help: CreateHelp): Promise<PodmanNetwork> {
  const joined = network.options[JOINS] ?? network.labels[JOINS];
  if (joined !== undefined) return asOurs(network, joined, help);
  const isBridge = network.driver === 'bridge';
  const isDhcp = network.ipamDriver === 'dhcp' || (!isBridge && network.subnets.length === 0);
  const asked = isDhcp ? [] : askedSubnets(network, room);
  for (const { subnet } of network.subnets) refuseOverlap(subnet, room.subnets);
  const pools = completePools({
    requests: asked.map(({ subnet, gateway }) => ({ subnet, ...(gateway === undefined ? {} : { gateway }) })),
    gateway: isBridge ? 'default' : 'given',
  });
  const subnets = asked.map((one): PodmanSubnet => {
    const gateway = pools.find(({ subnet }) => subnet === one.subnet)?.gateway;
    return { ...one, ...(gateway === undefined ? {} : { gateway }) };
  });
  const bridge = isBridge ? { networkInterface: network.networkInterface ?? freeBridge(room) } : {};
  return {
    ...network,
    ...bridge,
    subnets,
    ipv6Enabled: network.ipv6Enabled || subnets.some(({ subnet }) => familyOf(subnet) === 6),
    ipamDriver: isDhcp ? 'dhcp' : network.ipamDriver,
  };
}

/** Podman gives addresses out of the very subnets of the network that is joined. */
async function asOurs(network: PodmanNetwork, name: string, { engine }: CreateHelp): Promise<PodmanNetwork> {
  const { Id } = await engine.inspectNetwork(name);
  const ours = (await engine.listNetworks()).find(({ id }) => id === Id);
  const subnets = (ours?.pools ?? []).map(({ subnet, gateway }): PodmanSubnet => ({
    subnet,
    ...(gateway === undefined ? {} : { gateway }),
  }));
  return {
    ...network,
    subnets: network.subnets.length > 0 ? network.subnets : subnets,
    ipv6Enabled: network.ipv6Enabled || subnets.some(({ subnet }) => familyOf(subnet) === 6),
  };
}

/** What was given, and a subnet that is free for each family that is wanted and has none. */
function askedSubnets(network: PodmanNetwork, { subnets: used, pools }: Room): PodmanSubnet[] {
  const has6 = network.subnets.some(({ subnet }) => familyOf(subnet) === 6);
  const chosen = (family: Family): PodmanSubnet => ({
    subnet: choosePool({
      family,
      pools: pools.some(({ base }) => familyOf(base) === family) ? pools : [ulaPool(network.id)],
      used,
      avoid: [],
    }),
  });
  return [
    ...(network.subnets.length === 0 ? [chosen(4)] : network.subnets),
    ...(network.ipv6Enabled && !has6 ? [chosen(6)] : []),
  ];
}

function freeBridge({ interfaces, bridgePrefix }: Room): string {
  const taken = new Set(interfaces);
  for (let number = 0; number <= interfaces.length; number += 1) {
    const name = `${bridgePrefix}${number}`;
    if (!taken.has(name)) return name;
  }
  throw new TsnetError('EXHAUSTED', `no bridge name ${bridgePrefix}N is free`);
}

function subnetJson({ subnet, gateway, leaseRange }: PodmanSubnet): JsonObject {
  return {
    subnet,
    ...(gateway === undefined ? {} : { gateway }),
    ...(leaseRange === undefined
      ? {}
      : {
          lease_range: {
            ...(leaseRange.start === undefined ? {} : { start_ip: leaseRange.start }),
            ...(leaseRange.end === undefined ? {} : { end_ip: leaseRange.end }),
          },
        }),
  };
}
