/**
 * Which network a configuration means: one that is there (`network`), or one of its own, named after the CNI network and made
 * when the first container comes. Then the keys of the reference bridge plugin say what it is like.
 */
import type { CreateNetworkRequest, IpamRequest } from '../../engine/engine.ts';
import type { Network } from '../../model/records.ts';
import { networkOf, parsePrefix, formatPrefix } from '../../model/address.ts';
import { ipamRequest, type AddressSpan } from './address-span.ts';
import { CniError } from './cni-error.ts';
import { flagAt, numberAt, objectAt, objectListsAt, objectsAt, pairsAt, textAt, type Fields } from './fields.ts';
import type { PluginConfig } from './network-config.ts';
import type { CniIp } from './result.ts';

/** Of a network that a configuration made: the CNI network. */
const NETWORK_LABEL = 'tsnet.cni.network';

/** Keys that describe a network. */
const INLINE = [
  'bridge',
  'driver',
  'subnet',
  'ipMasq',
  'internal',
  'portIsolation',
  'master',
  'mode',
  'mtu',
  'options',
  'labels',
] as const;

/** Keys of the reference plugins that ask for what tsnet does not do; asked for only if they are neither false nor 0 nor empty. */
const UNSUPPORTED = [
  'promiscMode',
  'vlan',
  'vlanTrunk',
  'macspoofchk',
  'enabledad',
  'disableContainerInterface',
  'linkInContainer',
] as const;

/** The network to make where there is none; undefined where only one that is there will do. @throws CniError 2, 6, 7 */
export function networkRequest(
  { fields, name, network, delegate }: PluginConfig,
  delegated: readonly CniIp[],
): CreateNetworkRequest | undefined {
  refuseUnsupported(fields);
  const inline = INLINE.filter((key) => fields.value(key) !== undefined);
  const named = textAt(fields, 'network') !== undefined;
  if (named && inline.length > 0) {
    throw new CniError(
      7,
      `network and ${inline.join(', ')} exclude each other`,
      `network names one that is there; without it tsnet makes one, named ${name}`,
    );
  }
  const spans = delegate === undefined ? spansOf(fields) : [];
  // A network that is there has its subnets: those of the configuration are compared with them.
  if (named) return undefined;
  const ipam = delegate === undefined ? spans.map(ipamRequest) : delegated.map(poolOf);
  return {
    name: network,
    driver: textAt(fields, 'driver') ?? 'bridge',
    ...(ipam.length === 0 ? {} : { ipam, ...familiesOf(ipam) }),
    ...(flagAt(fields, 'internal') === true ? { internal: true } : {}),
    options: optionsOf(fields),
    labels: { ...pairsAt(fields, 'labels'), [NETWORK_LABEL]: name },
  };
}

function refuseUnsupported(fields: Fields): void {
  for (const key of UNSUPPORTED) {
    const value = fields.value(key);
    const isOff = value === undefined || value === false || value === 0 || value === '';
    if (isOff || (Array.isArray(value) && value.length === 0)) continue;
    throw new CniError(2, `unsupported field: ${key} = ${JSON.stringify(value)}`);
  }
  if (flagAt(fields, 'isGateway') === false && flagAt(fields, 'isDefaultGateway') !== true) {
    throw new CniError(
      2,
      'unsupported field: isGateway = false',
      'a bridge of tsnet is the gateway of its network; "internal": true leaves the way out away',
    );
  }
}

/** The subnets of a configuration; those that the runtime names come first. */
function spansOf(fields: Fields): AddressSpan[] {
  const ipam = objectAt(fields, 'ipam');
  const subnet = textAt(fields, 'subnet');
  return [
    ...objectListsAt(objectAt(fields, 'runtimeConfig'), 'ipRanges').map(spanOf),
    ...(subnet === undefined ? [] : [{ subnet, ...gatewayOf(fields) }]),
    ...(textAt(ipam, 'subnet') === undefined ? [] : [spanOf(ipam)]),
    ...objectListsAt(ipam, 'ranges').map(spanOf),
  ];
}

function spanOf(fields: Fields): AddressSpan {
  const subnet = textAt(fields, 'subnet');
  if (subnet === undefined) throw new CniError(7, `${fields.where} has no subnet`);
  const [first, last] = [textAt(fields, 'rangeStart'), textAt(fields, 'rangeEnd')];
  return {
    subnet,
    ...(first === undefined ? {} : { first }),
    ...(last === undefined ? {} : { last }),
    ...gatewayOf(fields),
  };
}

function gatewayOf(fields: Fields): { readonly gateway?: string } {
  const gateway = textAt(fields, 'gateway');
  return gateway === undefined ? {} : { gateway };
}

/** The subnet that another IPAM plugin gives addresses of. */
function poolOf({ address, gateway }: CniIp): IpamRequest {
  const subnet = networkOf(address);
  const { length, family } = parsePrefix(subnet);
  if (length >= (family === 4 ? 31 : 127)) {
    throw new CniError(
      111,
      `the IPAM plugin gave ${address}`,
      `tsnet makes a network of the subnet that an address comes with, and ${subnet} has no place for a gateway; name a network that is there with "network"`,
    );
  }
  return ipamRequest({ subnet, ...(typeof gateway === 'string' ? { gateway } : {}) });
}

function familiesOf(ipam: readonly IpamRequest[]): Pick<CreateNetworkRequest, 'enableIPv4' | 'enableIPv6'> {
  const isOfSix = ({ subnet = '' }: IpamRequest): boolean => subnet.includes(':');
  return { enableIPv4: !ipam.every(isOfSix), enableIPv6: ipam.some(isOfSix) };
}

function optionsOf(fields: Fields): Record<string, string> {
  const [bridge, master, mode] = [textAt(fields, 'bridge'), textAt(fields, 'master'), textAt(fields, 'mode')];
  const [mtu, masquerades] = [numberAt(fields, 'mtu'), flagAt(fields, 'ipMasq')];
  return {
    ...(bridge === undefined ? {} : { 'bridge.name': bridge }),
    ...(master === undefined ? {} : { parent: master }),
    ...(mode === undefined ? {} : { [textAt(fields, 'driver') === 'ipvlan' ? 'ipvlan_mode' : 'macvlan_mode']: mode }),
    ...(mtu === undefined || mtu === 0 ? {} : { mtu: String(mtu) }),
    ...(masquerades === false ? { 'bridge.masquerade': 'false' } : {}),
    ...(flagAt(fields, 'portIsolation') === true ? { 'bridge.icc': 'false' } : {}),
    ...pairsAt(fields, 'options'),
  };
}

/** Why a network that is there is not the one that the configuration describes. @throws CniError 7 */
export function checkSameNetwork(network: Network, { fields, delegate }: PluginConfig): void {
  const refuse = (what: string): never => {
    throw new CniError(
      7,
      `network ${network.name} ${what}`,
      'it was made before, and is not changed by a configuration; remove it with tsnet rm when no container is on it, or choose another name',
    );
  };
  const has = network.pools.map(({ subnet }) => subnet);
  const asked = delegate === undefined ? spansOf(fields).map(({ subnet }) => formatPrefix(parsePrefix(subnet))) : [];
  const missing = asked.filter((subnet) => !has.includes(subnet));
  if (missing.length > 0) refuse(`has ${has.join(', ') || 'no subnet'} and not ${missing.join(', ')}`);
  const bridge = textAt(fields, 'bridge');
  const own = network.settings['bridge'];
  if (bridge !== undefined && own !== bridge) {
    refuse(`is on ${typeof own === 'string' ? own : 'no bridge'} and not on ${bridge}`);
  }
  const driver = textAt(fields, 'driver');
  if (driver !== undefined && network.driver !== driver) refuse(`is of driver ${network.driver} and not ${driver}`);
}

/** Routes that the configuration asks for: tsnet gives the default route, by which all others lead. @throws CniError 2 */
export function refuseOtherRoutes(fields: Fields): void {
  for (const route of objectsAt(objectAt(fields, 'ipam'), 'routes')) {
    const gateway = textAt(route, 'gw');
    if (gateway === undefined) continue;
    const gateways = spansOf(fields).map((span) => ipamRequest(span).gateway);
    if (gateways.length === 0 || gateways.includes(gateway)) continue;
    throw new CniError(
      2,
      `unsupported field: ${route.where}.gw = ${gateway}`,
      `routes lead by the gateway of the network, ${gateways.join(', ')}`,
    );
  }
}
