/** A network as podman describes it: the same object in `network_info`, in `create` and in the plugin interface. */
import { canonicalAddress, isAddress, networkOf } from '../../model/address.ts';
import { TsnetError } from '../../model/error.ts';
import type { StaticRoute } from '../../model/records.ts';
import {
  flag,
  has,
  objects,
  optionalMember,
  optionalText,
  pairs,
  text,
  texts,
  undecodable,
  whole,
  type Fields,
} from './json-fields.ts';

export interface PodmanSubnet {
  /** "10.89.0.0/24" */
  readonly subnet: string;
  readonly gateway?: string;
  readonly leaseRange?: { readonly start?: string; readonly end?: string };
}

export interface PodmanNetwork {
  readonly name: string;
  /** 64 hex digits. */
  readonly id: string;
  readonly driver: string;
  /** The bridge, or the parent of macvlan and ipvlan. */
  readonly networkInterface?: string;
  readonly subnets: readonly PodmanSubnet[];
  readonly routes: readonly StaticRoute[];
  readonly ipv6Enabled: boolean;
  readonly internal: boolean;
  readonly dnsEnabled: boolean;
  /** Nameservers that its names are asked at outside. */
  readonly dnsServers: readonly string[];
  /** host-local: podman chooses the addresses; dhcp; none. */
  readonly ipamDriver: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** Of a driver that we are the plugin of: the options are our own, and podman makes no names known. */
  readonly isPlugins?: true;
}

/** @throws TsnetError INVALID */
export function readNetwork(fields: Fields): PodmanNetwork {
  const networkInterface = optionalText(fields, 'network_interface');
  const ipam = optionalMember(fields, 'ipam_options');
  return {
    name: networkNameAt(fields, 'name'),
    id: text(fields, 'id'),
    driver: text(fields, 'driver'),
    ...(networkInterface === undefined || networkInterface === '' ? {} : { networkInterface }),
    subnets: objects(fields, 'subnets').map(readSubnet),
    routes: objects(fields, 'routes').map(readRoute),
    ipv6Enabled: flag(fields, 'ipv6_enabled'),
    internal: flag(fields, 'internal'),
    dnsEnabled: flag(fields, 'dns_enabled'),
    dnsServers: texts(fields, 'network_dns_servers').map((one) => address(one, `${fields.path}.network_dns_servers`)),
    ipamDriver: (ipam === undefined ? undefined : optionalText(ipam, 'driver')) ?? 'host-local',
    options: pairs(fields, 'options'),
    labels: pairs(fields, 'labels'),
  };
}

/** A network's name, which becomes that of a file. Podman's own rule. @throws TsnetError INVALID */
export function networkNameAt(fields: Fields, key: string): string {
  const name = text(fields, key);
  if (isNetworkName(name)) return name;
  throw undecodable(`${fields.path === '' ? key : `${fields.path}.${key}`}: "${name}" is no name of a network`);
}

export function isNetworkName(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name);
}

/** A plugin's driver has the plugin's name; which of ours it stands for is an option. */
export function withPluginDriver(network: PodmanNetwork): PodmanNetwork {
  return { ...network, driver: network.options['driver'] ?? 'bridge', isPlugins: true };
}

function readSubnet(fields: Fields): PodmanSubnet {
  const gateway = optionalText(fields, 'gateway');
  const range = optionalMember(fields, 'lease_range');
  const start = range === undefined ? undefined : optionalText(range, 'start_ip');
  const end = range === undefined ? undefined : optionalText(range, 'end_ip');
  return {
    subnet: prefix(text(fields, 'subnet'), `${fields.path}.subnet`),
    ...(gateway === undefined || gateway === '' ? {} : { gateway: address(gateway, `${fields.path}.gateway`) }),
    ...(range === undefined
      ? {}
      : { leaseRange: { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) } }),
  };
}

/** netavark's own. */
const DEFAULT_METRIC = 100;
const MOST_METRIC = 0xffff_ffff;

function readRoute(fields: Fields): StaticRoute {
  const destination = prefix(text(fields, 'destination'), `${fields.path}.destination`);
  const type = optionalText(fields, 'route_type') ?? 'unicast';
  if (type !== 'unicast') {
    throw new TsnetError('UNSUPPORTED', `route ${destination}: a route of type ${type} is not supported`);
  }
  return {
    destination,
    gateway: address(text(fields, 'gateway'), `${fields.path}.gateway`),
    metric: has(fields, 'metric') ? whole(fields, 'metric', MOST_METRIC) : DEFAULT_METRIC,
  };
}

/** The canonical form of an address. @throws TsnetError INVALID that names the member */
export function address(value: string, path: string): string {
  if (isAddress(value)) return canonicalAddress(value);
  throw undecodable(`${path}: "${value}" is not an IP address`);
}

/** Host bits are passed over, as podman does. */
function prefix(value: string, path: string): string {
  try {
    return networkOf(value);
  } catch (error) {
    throw error instanceof TsnetError ? undecodable(`${path}: ${error.message}`) : error;
  }
}
