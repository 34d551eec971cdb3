/**
 * bridge, host and none: there without being created.
 *
 * The default network follows daemon.json: when the keys that it was made from have changed and no container is on it, it is
 * made anew; until then the old one stays and `connect` says so.
 */
import { familyOf, formatAddress, networkOf, parseInterface, withoutLength } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import { randomId, timestamp } from '../model/ids.ts';
import type { LedgerView } from '../model/ledger.ts';
import type { Network, Pool } from '../model/records.ts';
import type { Facts } from '../plan/kernel.ts';
import { DEFAULT_BRIDGE_SUBNET } from '../ipam/choose-pool.ts';
import { completePools, type PoolRequest } from '../ipam/complete-pool.ts';
import { ulaPool } from '../ipam/ula.ts';
import type { EngineContext } from './context.ts';
import { driverDefaults } from './draft-network.ts';
import { predefinedState, type PredefinedState } from './predefined-state.ts';
import { takeDown } from './realize.ts';

/** Docker calls the driver of the network "none" so. */
const NULL_DRIVER = 'null';

/** Makes what {@link predefinedState} found missing or out of date. */
export async function renewPredefined(context: EngineContext, { complete, stale }: PredefinedState): Promise<void> {
  if (!complete) {
    context.ledger.changeNetworks((change) => {
      for (const [name, driver] of [
        ['host', 'host'],
        ['none', NULL_DRIVER],
      ] as const) {
        if (change.networkByName(name) === undefined) change.putNetwork(bareNetwork(context, name, driver));
      }
    });
  }
  if (stale) await renewDefault(context);
}

function bareNetwork(context: EngineContext, name: string, driver: string): Network {
  return {
    version: 1,
    id: randomId(),
    name,
    driver,
    scope: 'local',
    createdAt: timestamp(context.now()),
    internal: false,
    attachable: false,
    enableIPv4: true,
    enableIPv6: false,
    ipamDriver: driver === 'bridge' ? 'default' : driver,
    ipamOptions: {},
    pools: [],
    options: {},
    labels: {},
    settings: {},
    predefined: true,
    state: 'active',
  };
}

async function renewDefault(context: EngineContext): Promise<void> {
  const { ledger, config } = context;
  await context.lock.exclusive(async () => {
    // Somebody else may have been first; the network that is up now is theirs.
    const { stale, wanted } = predefinedState(ledger, config);
    if (!stale) return;
    const old = ledger.read((view) => view.networkByName('bridge'));
    if (old !== undefined && ledger.read((view) => view.isRealized(old.id))) await takeDown(context, old);
    const facts = config.bridge === 'none' ? undefined : await context.kernel.facts();
    ledger.changeNetworks((change) => {
      const current = change.networkByName('bridge');
      if (current !== undefined) change.forgetNetwork(current.id);
      if (facts !== undefined) {
        const made = defaultNetwork(context, change, facts, wanted);
        change.putNetwork(current === undefined ? made : { ...made, id: current.id, createdAt: current.createdAt });
      } else if (current !== undefined) {
        change.deleteNetwork(current.id);
      }
    });
  });
}

/** The record of the default network as daemon.json describes it. */
function defaultNetwork(context: EngineContext, view: LedgerView, facts: Facts, configuredBy: string): Network {
  const { config } = context;
  const driver = context.drivers.named('bridge');
  if (driver === undefined) throw new TsnetError('INTERNAL', 'make the default network: the bridge driver is missing');
  const bare = bareNetwork(context, 'bridge', 'bridge');
  const pools = defaultPools(context, view, facts);
  const options = { ...(config.bridge === '' ? {} : { 'bridge.name': config.bridge }) };
  if (config.bridge !== '' && !facts.links.some(({ name, kind }) => name === config.bridge && kind === 'bridge')) {
    throw new TsnetError(
      'CONFIG',
      `use bridge ${config.bridge} for the default network: there is no such bridge; create it, or remove "bridge" from daemon.json`,
    );
  }
  const settings = driver.configure({
    draft: {
      id: bare.id,
      name: 'bridge',
      internal: false,
      enableIPv4: true,
      enableIPv6: config.ipv6,
      pools,
      options,
      predefined: true,
    },
    networks: view.networks(),
    facts,
    defaults: { ...driverDefaults(context), mtu: config.mtu },
  });
  return {
    ...bare,
    enableIPv6: config.ipv6,
    pools,
    settings,
    configuredBy,
    options: {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': String(config.icc),
      'com.docker.network.bridge.enable_ip_masquerade': String(config.ipMasq),
      'com.docker.network.bridge.host_binding_ipv4': config.ip,
      'com.docker.network.bridge.name': typeof settings['bridge'] === 'string' ? settings['bridge'] : '',
      'com.docker.network.driver.mtu': JSON.stringify(settings['mtu']),
    },
  };
}

/** bip, else the address of the administrator's bridge, else fixed-cidr, else 172.17.0.0/16. */
function defaultPools(context: EngineContext, view: LedgerView, facts: Facts): Pool[] {
  const { config } = context;
  const onBridge = (family: 4 | 6): string | undefined =>
    facts.links
      .find(({ name }) => name === config.bridge)
      ?.addresses.find((address) => familyOf(address) === family && !address.startsWith('fe80:'));
  const v4 = pool(config.bip ?? onBridge(4), config.fixedCidr, config.defaultGateway) ?? {
    subnet: DEFAULT_BRIDGE_SUBNET,
  };
  const requests: (PoolRequest & { readonly route?: string })[] = [v4];
  if (config.ipv6) {
    const own = ulaPool(view.installationId());
    requests.push(
      pool(config.bip6 ?? onBridge(6), config.fixedCidrV6, config.defaultGatewayV6) ?? {
        subnet: own.base.replace(/\/.*/, `/${own.size}`),
      },
    );
  }
  const pools = completePools({
    requests: requests.map(({ route: _route, ...request }) => request),
    gateway: 'default',
  });
  return pools.map((made, index) => {
    const route = requests[index]?.route;
    return route === undefined ? made : { ...made, route };
  });
}

function pool(
  bridgeAddress: string | undefined,
  fixed: string | undefined,
  route: string | undefined,
): (PoolRequest & { readonly route?: string }) | undefined {
  const base = bridgeAddress ?? fixed;
  if (base === undefined) return undefined;
  const subnet = networkOf(base);
  const rangeText = bridgeAddress === undefined ? undefined : fixed;
  return {
    subnet,
    ...(bridgeAddress === undefined ? {} : { gateway: withoutLength(bridgeAddress) }),
    ...(rangeText === undefined || networkOf(rangeText) === subnet ? {} : { range: networkOf(rangeText) }),
    ...(route === undefined
      ? {}
      : { route: formatAddress(parseInterface(`${route}/${familyOf(route) === 4 ? '32' : '128'}`).address) }),
  };
}
