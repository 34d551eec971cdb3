/**
 * A podman network as a network of ours: `podman-web` for `web`, told from all others by podman's id in a label.
 *
 * Podman chooses the addresses (its ipam.db) and hands them over; here they are leased as fixed ones, so that nobody else on the
 * network gets them. What the driver cannot do and what would change who reaches whom is refused; what is only finer tuning
 * (metric, bclim …) is passed over.
 */
import { familyOf, formatAddress, parsePrefix } from '../../model/address.ts';
import { TsnetError } from '../../model/error.ts';
import type { CreateNetworkRequest, IpamRequest } from '../../engine/engine.ts';
import { hostSpan } from '../../ipam/usable.ts';
import type { PodmanNetwork, PodmanSubnet } from './network-info.ts';

/** Podman's id of the network: how it is found again. */
export const ID_LABEL = 'io.podman.network.id';
const NAME_LABEL = 'io.podman.network.name';
/** Label or option of a podman network that stands for a network of ours: containers join that, and nothing is made. */
export const JOINS = 'tsnet.network';

/** A network of ours that is there already, or one to be made for podman. */
export type NetworkPlan =
  | { readonly kind: 'existing'; readonly reference: string }
  | { readonly kind: 'ours'; readonly podmanId: string; readonly request: CreateNetworkRequest };

/** @throws TsnetError INVALID, UNSUPPORTED */
export function planNetwork(network: PodmanNetwork, uplink: () => string | undefined): NetworkPlan {
  const joined = network.options[JOINS] ?? network.labels[JOINS];
  if (joined !== undefined) return { kind: 'existing', reference: joined };
  return { kind: 'ours', podmanId: network.id, request: createRequest(network, uplink) };
}

/** The name of the network of ours, unless somebody else has it. */
export function networkName({ name }: Pick<PodmanNetwork, 'name'>): string {
  return name === 'podman' ? 'podman' : `podman-${name}`;
}

function createRequest(network: PodmanNetwork, uplink: () => string | undefined): CreateNetworkRequest {
  const { driver, options } = driverOptions(network, uplink);
  return {
    name: networkName(network),
    driver,
    ...(network.ipamDriver === 'dhcp'
      ? { ipamDriver: 'dhcp' }
      : { ipam: network.subnets.map((subnet) => ipam(subnet, driver)) }),
    internal: network.internal,
    enableIPv4: network.ipamDriver === 'dhcp' || hasFamily(network, 4),
    enableIPv6: hasFamily(network, 6),
    options,
    labels: { ...network.labels, [ID_LABEL]: network.id, [NAME_LABEL]: network.name },
  };
}

function hasFamily({ subnets }: PodmanNetwork, family: 4 | 6): boolean {
  return subnets.some(({ subnet }) => familyOf(subnet) === family);
}

interface DriverOptions {
  readonly driver: string;
  readonly options: Readonly<Record<string, string>>;
}

function driverOptions(network: PodmanNetwork, uplink: () => string | undefined): DriverOptions {
  refuseAddressing(network);
  if (network.isPlugins === true) return pluginOptions(network);
  switch (network.driver) {
    case 'bridge':
      return { driver: 'bridge', options: bridgeOptions(network) };
    case 'macvlan':
    case 'ipvlan':
      return { driver: network.driver, options: lanOptions(network, uplink) };
    default:
      throw new TsnetError('UNSUPPORTED', `unknown network driver ${network.driver}`);
  }
}

/** Of a plugin's network the options are those of our driver, under our names or Docker's. */
function pluginOptions({ driver, options, networkInterface }: PodmanNetwork): DriverOptions {
  const { driver: _driver, ...own } = options;
  const link = driver === 'bridge' ? 'bridge.name' : 'parent';
  return { driver, options: { ...option(link, networkInterface), ...own } };
}

function refuse({ name }: PodmanNetwork, why: string): never {
  throw new TsnetError('UNSUPPORTED', `network ${name}: ${why}`);
}

function refuseAddressing(network: PodmanNetwork): void {
  if (network.ipamDriver === 'none') refuse(network, 'ipam driver none is not supported: containers need addresses');
  if (network.ipamDriver !== 'dhcp' && network.subnets.length === 0) refuse(network, 'it has no subnets');
  for (const family of [4, 6] as const) {
    const subnets = network.subnets.filter(({ subnet }) => familyOf(subnet) === family);
    if (subnets.length > 1)
      refuse(network, `it takes one IPv${family} subnet; make a second network for the other one`);
  }
}

/** As Rust's and Go's parsers of booleans between them take it. */
export function isTrue(value: string | undefined): boolean {
  return value !== undefined && ['true', '1', 't'].includes(value.toLowerCase());
}

function bridgeOptions(network: PodmanNetwork): Record<string, string> {
  const { options, networkInterface, name } = network;
  for (const key of ['vlan', 'vrf']) {
    if (options[key] !== undefined) refuse(network, `option ${key} of a bridge is not supported`);
  }
  if (options['mode'] !== undefined && options['mode'] !== 'managed') {
    refuse(network, `bridge mode ${options['mode']} is not supported`);
  }
  if (network.ipamDriver === 'dhcp') refuse(network, 'ipam driver dhcp is for macvlan: a bridge has no DHCP server');
  if (networkInterface === undefined) throw new TsnetError('INVALID', `network ${name}: no network interface`);
  return {
    'bridge.name': networkInterface,
    ...mtuOption(network),
    ...(isOpen(network)
      ? { 'bridge.gateway-mode-ipv4': 'nat-unprotected', 'bridge.gateway-mode-ipv6': 'nat-unprotected' }
      : {}),
    ...withoutGateway(network),
    ...option('snat-ipv4', options['outbound_addr4']),
    ...option('snat-ipv6', options['outbound_addr6']),
  };
}

/** Other networks are kept out unless podman says in so many words that they may come in. */
function isOpen({ options, internal }: PodmanNetwork): boolean {
  const isolate = options['isolate'];
  return !internal && isolate !== undefined && ['false', '0', 'f'].includes(isolate.toLowerCase());
}

/** Podman may leave the gateway out: then the bridge has no address. */
function withoutGateway(network: PodmanNetwork): Record<string, string> {
  const lacks = (family: 4 | 6): boolean =>
    network.subnets.some(({ subnet, gateway }) => familyOf(subnet) === family && gateway === undefined);
  if (network.internal) {
    return {
      ...(lacks(4) ? { 'bridge.gateway-mode-ipv4': 'isolated' } : {}),
      ...(lacks(6) ? { 'bridge.gateway-mode-ipv6': 'isolated' } : {}),
    };
  }
  if (lacks(6)) refuse(network, 'an IPv6 subnet without a gateway needs an internal network');
  return lacks(4) ? { 'bridge.inhibit-ipv4': 'true' } : {};
}

function option(name: string, value: string | undefined): Record<string, string> {
  return value === undefined || value === '' ? {} : { [name]: value };
}

/** 0: as the driver finds. */
function mtuOption({ options }: PodmanNetwork): Record<string, string> {
  return option('mtu', options['mtu'] === '0' ? undefined : options['mtu']);
}

function lanOptions(network: PodmanNetwork, uplink: () => string | undefined): Record<string, string> {
  const { driver, options, networkInterface } = network;
  const parent = networkInterface ?? uplink();
  if (parent === undefined) {
    throw new TsnetError(
      'INVALID',
      `network ${network.name}: no parent interface is named and the host has no default route`,
    );
  }
  return { parent, ...mtuOption(network), ...option(`${driver}_mode`, options['mode']) };
}

function ipam({ subnet, gateway }: PodmanSubnet, driver: string): IpamRequest {
  const chosen = gateway ?? (driver === 'bridge' ? lastAddress(subnet) : undefined);
  return { subnet, ...(chosen === undefined ? {} : { gateway: chosen }) };
}

/** Stands for the gateway that a bridge network of ours has and this one of podman's has not: podman gives it to a container last. */
function lastAddress(subnet: string): string {
  const prefix = parsePrefix(subnet);
  return formatAddress({ family: prefix.family, value: hostSpan(prefix).last });
}
