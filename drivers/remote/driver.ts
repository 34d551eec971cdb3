/**
 * remote: networks of a Docker network plugin. The plugin makes the links and carries the packets; tsnet gives the addresses,
 * puts the link into the sandbox, and keeps the books.
 *
 *     host namespace                                     sandbox
 *     ──────────────                                     ───────
 *     plugin ◄── Create, Join … ── tsnet
 *     └─ makes SrcName ──────────── moved ─────────────► eth0  10.0.0.2/24, default via the network's gateway
 *
 * The way of a packet is the plugin's. No firewall rule is made for its networks.
 *
 * Unlike the other drivers this one is made for each plugin. A network's record is enough to make it again, so that planning asks
 * no plugin anything.
 */
import type { Endpoint, Family, Network } from '../../src/model/records.ts';
import { defineDriver, type Driver } from '../../src/plan/driver.ts';
import { TAG_PREFIX, type Plan, type Resource } from '../../src/plan/resource.ts';

export interface PluginScope {
  readonly scope: 'local' | 'global';
}

/** In the settings of a network: that its driver is a Docker plugin of that name. */
const PROTOCOL = 'docker-plugin';

/** The driver of a network on record, if that is a plugin's. */
export function remoteDriverOf({ driver, scope, settings }: Network): Driver | undefined {
  return settings['protocol'] === PROTOCOL ? remoteDriver(driver, { scope }) : undefined;
}

export function remoteDriver(plugin: string, { scope }: PluginScope): Driver {
  return defineDriver({
    name: plugin,
    api: 1,
    scope,
    ipam: 'pools',
    options: {
      type: 'object',
      properties: {},
      additionalProperties: { type: 'string', description: 'As the plugin takes it.' },
    },
    aliases: {},
    parseSettings: (settings) => settings,
    configure: () => ({ protocol: PROTOCOL }),
    endpointDefaults: () => ({
      interfacePrefix: 'eth',
      publishAddress: '0.0.0.0',
      refusesPorts: `the network is Docker plugin ${plugin}'s, which publishes by means of its own`,
    }),
    networkPlan,
    endpointPlan,
  });
}

function networkPlan({ id, driver, scope, pools, options, internal }: Network): Plan {
  return [
    {
      kind: 'plugin-network',
      plugin: driver,
      networkId: id,
      scope,
      pools: pools.map(({ subnet, gateway, aux }) => ({ subnet, ...(gateway === undefined ? {} : { gateway }), aux })),
      options,
      internal,
    },
  ];
}

function endpointPlan(network: Network, _settings: unknown, endpoint: Endpoint): Plan {
  const place = { sandbox: endpoint.sandboxId };
  const link = endpoint.interfaceName;
  const has = (family: Family): boolean => endpoint.addresses.some(({ address }) => familyOf(address) === family);
  return [
    { kind: 'link-up', place, link: 'lo' },
    {
      kind: 'plugin-endpoint',
      plugin: network.driver,
      networkId: network.id,
      endpointId: endpoint.id,
      sandbox: endpoint.sandboxId,
      link,
      mac: endpoint.mac,
      addresses: endpoint.addresses.map(({ address }) => address),
      gateways: endpoint.addresses.flatMap(({ gateway }) => gateway ?? []),
      options: endpoint.driverOptions,
      tag: `${TAG_PREFIX}${endpoint.id}`,
    },
    ...endpoint.addresses.map(({ address }): Resource => ({ kind: 'address', place, link, address })),
    ...network.pools
      .filter(({ subnet }) => has(familyOf(subnet)))
      .map(({ subnet }): Resource => ({ kind: 'route', place, family: familyOf(subnet), destination: subnet, link })),
  ];
}

function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}
