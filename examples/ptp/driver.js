/**
 * ptp: a veth pair a container, routed by the host; no bridge, no segment that containers share.
 *
 *     host namespace                                         sandbox
 *     ──────────────                                         ───────
 *     eth0 ── routing ──┬── vethXXXXXXXXXXX 10.8.0.1/32 ──── eth0 10.8.0.2/32, 10.8.0.1 dev eth0, default via 10.8.0.1
 *                       └── vethYYYYYYYYYYY 10.8.0.1/32 ──── eth0 10.8.0.3/32, …         (another sandbox)
 *           10.8.0.2 dev vethX, 10.8.0.3 dev vethY
 *
 * Out: eth0 in the sandbox → its gateway, the host's end of the pair → FORWARD (what comes from the pair is accepted) →
 * POSTROUTING (MASQUERADE) → host's eth0. In, to a published port: host's eth0 → PREROUTING (DNAT to 10.8.0.2) → the /32 route →
 * vethX. From the host itself 10.8.0.2 is reached directly.
 *
 * A container sees nobody but the host: no ARP, no broadcast, no neighbour whose address it could take. Containers of the
 * network reach each other by published ports, as strangers do. That is what this driver is for; bridge is for the rest.
 *
 * @import { Endpoint, Family, JsonObject, Network, Plan, Pool, Resource } from 'tsnet/driver'
 */
import { defineDriver, TAG_PREFIX, TsnetError } from 'tsnet/driver';

/** @param {string} text @returns {Family} */
const familyOf = (text) => (text.includes(':') ? 6 : 4);
/** @param {string} address as an endpoint has it: "10.8.0.2/24" */
const withoutLength = (address) => address.slice(0, address.indexOf('/'));
/** @param {string} address */
const alone = (address) => `${address}/${familyOf(address) === 4 ? 32 : 128}`;

/**
 * @typedef {JsonObject & {
 *   readonly mtu: number, readonly masquerade: boolean, readonly publishAddress: string, readonly forwarding: 'set' | 'require',
 * }} Settings
 */

/**
 * What is decided once, with the options and the host in view.
 * @param {import('tsnet/driver').ConfigureInput} input
 * @returns {Settings}
 */
function configure({ draft, defaults }) {
  const without = draft.pools.find(({ gateway }) => gateway === undefined);
  if (without !== undefined) {
    throw new TsnetError(
      'INVALID',
      `create network ${draft.name}: ${without.subnet} has no gateway, which the host's ends of the links need; give one with --gateway`,
    );
  }
  const { mtu, masquerade } = draft.options;
  return {
    mtu: typeof mtu === 'number' ? mtu : defaults.mtu || 1500,
    masquerade: typeof masquerade === 'boolean' ? masquerade : !draft.internal,
    publishAddress: defaults.publishAddress,
    forwarding: defaults.ipForward ? 'set' : 'require',
  };
}

/**
 * The network itself is nothing but the host's readiness to forward.
 * @param {Network} network
 * @param {Settings} settings
 * @returns {Plan}
 */
function networkPlan(network, settings) {
  if (network.internal) return [];
  return network.pools.map(({ subnet }) => ({
    kind: 'sysctl',
    place: 'host',
    key: familyOf(subnet) === 4 ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding',
    value: '1',
    mode: settings.forwarding,
  }));
}

/**
 * @param {Network} network
 * @param {Settings} settings
 * @param {Endpoint} endpoint
 * @returns {Plan}
 */
function endpointPlan(network, settings, endpoint) {
  const { hostLink, interfaceName, sandboxId } = endpoint;
  /** @param {string} key @param {string} value @returns {Resource} */
  const onHostLink = (key, value) => ({ kind: 'sysctl', place: 'host', key: `net/${key}`, value, mode: 'prefer' });
  const hasIPv6 = endpoint.addresses.some(({ address }) => familyOf(address) === 6);
  return [
    { kind: 'link-up', place: { sandbox: sandboxId }, link: 'lo' },
    {
      kind: 'veth',
      sandbox: sandboxId,
      host: hostLink,
      peer: interfaceName,
      mtu: settings.mtu,
      mac: endpoint.mac,
      // Both are a bridge port's; there is no bridge.
      hairpin: false,
      isolated: false,
      tag: `${TAG_PREFIX}${endpoint.id}`,
    },
    // The answers to a published port of 127.0.0.1 leave by this link; the kernel takes them for martians without it.
    onHostLink(`ipv4/conf/${hostLink}/route_localnet`, '1'),
    // A sandbox on several networks takes the subnet of each but the first for on-link: the host answers for all of it.
    onHostLink(`ipv4/conf/${hostLink}/proxy_arp`, '1'),
    onHostLink(`ipv6/conf/${hostLink}/disable_ipv6`, hasIPv6 ? '0' : '1'),
    // While its link-local address is checked for duplicates the host asks for no neighbour, and forwards nothing.
    ...(hasIPv6 ? [onHostLink(`ipv6/conf/${hostLink}/accept_dad`, '0')] : []),
    {
      kind: 'sysctl',
      place: { sandbox: sandboxId },
      key: `net/ipv6/conf/${interfaceName}/disable_ipv6`,
      value: hasIPv6 ? '0' : '1',
      mode: 'prefer',
    },
    ...endpoint.addresses.flatMap(({ address }) => addressPlan(network, endpoint, withoutLength(address))),
    ...endpoint.addresses.flatMap(({ address }) => firewall(network, settings, endpoint, withoutLength(address))),
  ];
}

/**
 * One address: the gateway on the host's end, a route to the container there, and a route to the gateway in the sandbox.
 * The default route is not ours: tsnet makes it from the gateways of all networks of the sandbox.
 * @param {Network} network
 * @param {Endpoint} endpoint
 * @param {string} address
 * @returns {Resource[]}
 */
function addressPlan(network, endpoint, address) {
  const family = familyOf(address);
  const pool = poolOf(network, family);
  if (pool?.gateway === undefined) return [];
  const place = { sandbox: endpoint.sandboxId };
  const link = endpoint.interfaceName;
  const gateway = alone(pool.gateway);
  return [
    { kind: 'address', place: 'host', link: endpoint.hostLink, address: gateway },
    { kind: 'route', place: 'host', family, destination: alone(address), link: endpoint.hostLink },
    { kind: 'address', place, link, address: alone(address) },
    { kind: 'route', place, family, destination: gateway, link },
    { kind: 'route', place, family, destination: pool.subnet, link, via: pool.gateway },
  ];
}

/**
 * Every link is a network of its own to the firewall: the intents of a bridge network, for one address.
 * @param {Network} network
 * @param {Settings} settings
 * @param {Endpoint} endpoint
 * @param {string} address
 * @returns {Resource[]}
 */
function firewall(network, settings, endpoint, address) {
  const family = familyOf(address);
  /** @type {{ readonly family: Family, readonly bridge: string, readonly subnet: string }} */
  const common = { family, bridge: endpoint.hostLink, subnet: alone(address) };
  if (network.internal) return [{ kind: 'internal', ...common }];
  return [
    { kind: 'isolate', ...common, trustedLinks: [], allowDirect: false, unprotected: false },
    { kind: 'icc', family, bridge: endpoint.hostLink, allow: true, internal: false },
    .../** @type {Resource[]} */ (settings.masquerade ? [{ kind: 'masquerade', ...common }] : []),
    { kind: 'hairpin', ...common },
    ...endpoint.ports
      .filter(({ hostAddress }) => familyOf(hostAddress) === family)
      .map(
        (port) =>
          /** @type {Resource} */ ({
            kind: 'publish',
            family,
            bridge: endpoint.hostLink,
            to: address,
            mode: 'nat',
            ...port,
          }),
      ),
  ];
}

/** @param {Network} network @param {Family} family @returns {Pool | undefined} */
function poolOf(network, family) {
  return network.pools.find(({ subnet }) => familyOf(subnet) === family);
}

export default defineDriver({
  name: 'ptp',
  api: 1,
  scope: 'local',
  ipam: 'pools',
  linkKinds: ['veth'],
  options: {
    type: 'object',
    additionalProperties: false,
    properties: {
      mtu: { type: 'integer', minimum: 68, maximum: 65535, description: 'MTU of the links.' },
      masquerade: { type: 'boolean', description: 'Source NAT of outgoing traffic.' },
    },
  },
  aliases: { 'com.docker.network.driver.mtu': 'mtu' },
  parseSettings: (settings) => /** @type {Settings} */ (settings),
  configure,
  endpointDefaults: (network, settings) => ({
    interfacePrefix: 'eth',
    publishAddress: settings.publishAddress,
    ...(network.internal ? { refusesPorts: 'the network is internal' } : {}),
  }),
  networkPlan,
  endpointPlan,
});
