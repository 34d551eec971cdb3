/**
 * Networks and endpoints to try a driver on, made as the engine makes them: the network by the driver's own `configure`, the
 * endpoint with the next addresses of its subnets.
 */
import { createHash } from 'node:crypto';
import { formatAddress, parsePrefix, type Prefix } from '../model/address.ts';
import { macFromAddress } from '../model/mac.ts';
import type { Endpoint, EndpointAddress, Network, Pool } from '../model/records.ts';
import type { ClusterDraft, ConfigureInput, Driver, DriverDefaults, NetworkDraft, Underlay } from '../plan/driver.ts';
import type { Facts } from '../plan/kernel.ts';

/** What is particular about a network to try; everything has a default. */
export interface Sample {
  /** "with a VLAN of its own", for the sentences of the contract. */
  readonly called?: string;
  readonly draft?: Partial<NetworkDraft>;
  readonly facts?: Partial<Facts>;
  readonly defaults?: Partial<DriverDefaults>;
  readonly networks?: readonly Network[];
  /** What the cluster gives, for a driver of scope global. */
  readonly cluster?: ClusterDraft;
  /** The host's own place in the underlay: the network is as that host keeps it. */
  readonly underlay?: Underlay;
}

const POOL: Pool = { subnet: '10.9.0.0/24', gateway: '10.9.0.1', aux: {} };

/** An id that looks like any other and is the same each time. */
function idOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** What `configure` is handed for a sample. */
export function sampleInput(driver: Driver, sample: Sample = {}): ConfigureInput {
  const name = sample.draft?.name ?? 'web';
  const pools = sample.draft?.pools ?? (driver.ipam === 'none' ? [] : [POOL]);
  return {
    draft: {
      id: idOf(`network ${name}`),
      name,
      internal: false,
      enableIPv4: true,
      enableIPv6: pools.some(({ subnet }) => subnet.includes(':')),
      pools,
      options: {},
      predefined: false,
      ...sample.draft,
    },
    networks: sample.networks ?? [],
    facts: { links: [], routes: [], ...sample.facts },
    defaults: {
      ipForward: true,
      ipMasquerade: true,
      icc: true,
      mtu: 0,
      publishAddress: '0.0.0.0',
      allowDirectRouting: false,
      ...sample.defaults,
    },
    ...(sample.cluster === undefined ? {} : { cluster: sample.cluster }),
  };
}

/** The record of a network that the driver configured. */
export function sampleNetwork(driver: Driver, sample: Sample = {}): Network {
  const input = sampleInput(driver, sample);
  const { id, name, internal, enableIPv4, enableIPv6, pools, options, predefined } = input.draft;
  const record: Network = {
    version: 1,
    id,
    name,
    driver: driver.name,
    scope: driver.scope,
    createdAt: '2026-01-01T00:00:00.000000000Z',
    internal,
    attachable: false,
    enableIPv4,
    enableIPv6,
    ipamDriver: 'default',
    ipamOptions: {},
    pools,
    options: Object.fromEntries(
      Object.entries(options).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]),
    ),
    labels: {},
    settings: driver.configure(input),
    predefined,
    state: 'active',
  };
  const { underlay } = sample;
  if (underlay === undefined || driver.localize === undefined) return record;
  return { ...record, settings: driver.localize(record, underlay) };
}

/** The `number`th endpoint of a network (0, 1 …), one address of each subnet's family. */
export function sampleEndpoint(
  driver: Driver,
  network: Network,
  { number = 0, ...change }: Partial<Endpoint> & { readonly number?: number } = {},
): Endpoint {
  const id = idOf(`endpoint ${number} of ${network.id}`);
  const addresses = network.pools
    .filter(({ subnet }, index, all) => all.findIndex((other) => isIPv6(other.subnet) === isIPv6(subnet)) === index)
    .map((pool) => addressIn(pool, network, number));
  const [first] = addresses;
  return {
    version: 1,
    id,
    networkId: network.id,
    sandboxId: idOf(`sandbox ${number}`),
    interfaceName: `${driver.endpointDefaults(network).interfacePrefix}0`,
    hostLink: `veth${id.slice(0, 11)}`,
    mac: macFromAddress(first === undefined ? '0.0.0.0' : first.address.replace(/\/.*/, '')),
    addresses,
    aliases: [],
    gatewayPriority: 0,
    ordinal: 0,
    ports: [],
    driverOptions: {},
    createdAt: network.createdAt,
    state: 'attached',
    ...change,
  };
}

function addressIn(pool: Pool, network: Network, number: number): EndpointAddress {
  const prefix: Prefix = parsePrefix(pool.subnet);
  const gateway = network.internal ? undefined : (pool.route ?? pool.gateway);
  const address = formatAddress({ family: prefix.family, value: prefix.first + BigInt(10 + number) });
  return { address: `${address}/${prefix.length}`, ...(gateway === undefined ? {} : { gateway }) };
}

function isIPv6(subnet: string): boolean {
  return subnet.includes(':');
}
