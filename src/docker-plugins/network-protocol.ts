/**
 * The remote network driver protocol of Docker (libnetwork, "Remote Drivers"), client side: our resources to its messages and
 * back.
 */
import { familyOf } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { Family, JsonObject, JsonValue } from '../model/records.ts';
import type { NetworkPlugin, PluginEndpointAnswer, PluginJoinAnswer, PluginRoute } from '../plan/network-plugin.ts';
import type { PluginEndpointResource, PluginNetworkResource, PluginPool } from '../plan/plugin-resource.ts';
import type { CallPlugin, Patience } from './plugin-call.ts';

/**
 * What a dead process left is taken away before every change: a plugin that is not running may not hold up other networks.
 */
const TAKING_AWAY: Patience = 'once';

const GENERIC = 'com.docker.network.generic';

export interface Capabilities {
  readonly scope: 'local' | 'global';
}

export async function capabilities(call: CallPlugin, name: string): Promise<Capabilities> {
  const answer = await call('NetworkDriver.GetCapabilities');
  const scope = answer?.['Scope'];
  if (scope === 'local' || scope === 'global') return { scope };
  throw new TsnetError(
    'DRIVER',
    `plugin ${name}: GetCapabilities: the scope is ${JSON.stringify(scope ?? null)}; it must be "local" or "global"`,
  );
}

export function networkPlugin(call: CallPlugin, name: string): NetworkPlugin {
  /** A method that every network driver has. */
  const ask = async (method: string, request: JsonObject, patience?: Patience): Promise<JsonObject> => {
    const answer = await call(`NetworkDriver.${method}`, request, patience);
    if (answer !== undefined) return answer;
    throw new TsnetError('DRIVER', `plugin ${name}: ${method}: it does not know the method; is it a network driver?`);
  };
  /** One that it need not have. */
  const tell = async (method: string, request: JsonObject): Promise<JsonObject> =>
    (await call(`NetworkDriver.${method}`, request)) ?? {};

  return {
    async createNetwork(network) {
      const { networkId: NetworkID, scope } = network;
      const [IPv4Data, IPv6Data] = [ipamData(network, 4), ipamData(network, 6)];
      let generic: JsonObject = network.options;
      if (scope === 'global') {
        const { Options } = await tell('AllocateNetwork', { NetworkID, Options: network.options, IPv4Data, IPv6Data });
        generic = { ...generic, ...objectOf(Options) };
      }
      await ask('CreateNetwork', { NetworkID, Options: networkOptions(network, generic), IPv4Data, IPv6Data });
    },

    async deleteNetwork({ networkId: NetworkID, scope }) {
      await ask('DeleteNetwork', { NetworkID }, TAKING_AWAY);
      if (scope === 'global') await tell('FreeNetwork', { NetworkID });
    },

    async createEndpoint(endpoint) {
      const given = (family: Family): string => endpoint.addresses.find((one) => familyOf(one) === family) ?? '';
      const answer = await ask('CreateEndpoint', {
        ...ids(endpoint),
        Options: endpoint.options,
        Interface: { Address: given(4), AddressIPv6: given(6), MacAddress: endpoint.mac },
      });
      return createdEndpoint(objectOf(answer['Interface']), endpoint);
    },

    async join(endpoint, sandboxPath) {
      return joined(await ask('Join', { ...ids(endpoint), SandboxKey: sandboxPath, Options: endpoint.options }), name);
    },

    async leave(endpoint) {
      await ask('Leave', ids(endpoint), TAKING_AWAY);
    },

    async deleteEndpoint(endpoint) {
      await ask('DeleteEndpoint', ids(endpoint), TAKING_AWAY);
    },
  };
}

function ids({ networkId, endpointId }: PluginEndpointResource): JsonObject {
  return { NetworkID: networkId, EndpointID: endpointId };
}

function networkOptions({ internal, pools }: PluginNetworkResource, generic: JsonObject): JsonObject {
  const has = (family: Family): boolean => pools.some(({ subnet }) => familyOf(subnet) === family);
  return {
    [GENERIC]: generic,
    'com.docker.network.enable_ipv4': has(4),
    'com.docker.network.enable_ipv6': has(6),
    ...(internal ? { 'com.docker.network.internal': true } : {}),
  };
}

function ipamData({ pools }: PluginNetworkResource, family: Family): JsonObject[] {
  return pools
    .filter(({ subnet }) => familyOf(subnet) === family)
    .map(({ subnet, gateway, aux }: PluginPool): JsonObject => {
      const length = subnet.slice(subnet.indexOf('/'));
      return {
        AddressSpace: 'LocalDefault',
        Pool: subnet,
        ...(gateway === undefined ? {} : { Gateway: `${gateway}${length}` }),
        AuxAddresses: Object.fromEntries(Object.entries(aux).map(([key, address]) => [key, `${address}${length}`])),
      };
    });
}

/** A plugin may give what it was not given; what it was given stays (libnetwork refuses the rest as well). */
function createdEndpoint(answer: JsonObject, endpoint: PluginEndpointResource): PluginEndpointAnswer {
  const addresses = [textOf(answer['Address']), textOf(answer['AddressIPv6'])].flatMap((address) => address ?? []);
  const taken = endpoint.addresses.map(familyOf);
  return { addresses: addresses.filter((address) => !taken.includes(familyOf(address))) };
}

function joined(answer: JsonObject, name: string): PluginJoinAnswer {
  const { SrcName } = objectOf(answer['InterfaceName']);
  const source = textOf(SrcName);
  const routes = Array.isArray(answer['StaticRoutes']) ? (answer['StaticRoutes'] as readonly JsonValue[]) : [];
  return {
    ...(source === undefined ? {} : { sourceLink: source }),
    gateways: [textOf(answer['Gateway']), textOf(answer['GatewayIPv6'])].flatMap((gateway) => gateway ?? []),
    routes: routes.map((route) => routeOf(objectOf(route), name)),
  };
}

/** RouteType 0 has a next hop, 1 is on link. */
function routeOf({ Destination, NextHop, RouteType }: JsonObject, name: string): PluginRoute {
  const [destination, via] = [textOf(Destination), textOf(NextHop)];
  if (destination === undefined || (RouteType !== 1 && via === undefined)) {
    throw new TsnetError(
      'DRIVER',
      `plugin ${name}: Join: a static route without ${destination === undefined ? 'destination' : 'next hop'}`,
    );
  }
  return RouteType === 1 || via === undefined ? { destination } : { destination, via };
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function textOf(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
