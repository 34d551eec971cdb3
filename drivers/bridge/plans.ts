/**
 * The plans of a network on a bridge of this host. The way of a packet: `driver.ts`. The overlay driver takes them too: there the
 * bridge has one more port, which leads to the other hosts.
 */
import type { Endpoint, Family, Network } from '../../src/model/records.ts';
import { limitResources } from '../../src/plan/limit-resources.ts';
import {
  TAG_PREFIX,
  type FirewallResource,
  type Plan,
  type PublishIntent,
  type Resource,
} from '../../src/plan/resource.ts';
import { familyOfPool, type BridgeSettings, type GatewayMode } from './settings.ts';

function mode(settings: BridgeSettings, family: Family): GatewayMode {
  return family === 4 ? settings.modeIPv4 : settings.modeIPv6;
}

/** Forwarding and the parameters of the bridge itself. */
function sysctls(network: Network, settings: BridgeSettings): { readonly before: Plan; readonly after: Plan } {
  const forwards = (family: Family): boolean =>
    !network.internal && network.pools.some((pool) => familyOfPool(pool) === family);
  const before: Resource[] = [];
  if (forwards(4)) {
    before.push({ kind: 'sysctl', place: 'host', key: 'net/ipv4/ip_forward', value: '1', mode: settings.forwarding });
  }
  if (forwards(6)) {
    before.push({
      kind: 'sysctl',
      place: 'host',
      key: 'net/ipv6/conf/all/forwarding',
      value: '1',
      mode: settings.forwarding,
    });
  }
  const conf = (family: 'ipv4' | 'ipv6', key: string, value: string): Resource => ({
    kind: 'sysctl',
    place: 'host',
    key: `net/${family}/conf/${settings.bridge}/${key}`,
    value,
    mode: 'prefer',
  });
  const after: Resource[] = [];
  if (!settings.adopted) after.push(conf('ipv6', 'accept_ra', '0'));
  if (network.enableIPv6) {
    after.push(conf('ipv6', 'disable_ipv6', '0'));
    // The kernel resolves neighbours for forwarded packets from the bridge's link-local address: while that is checked for
    // duplicates, a second or two after the first container comes, published ports would answer nobody.
    if (!settings.adopted) after.push(conf('ipv6', 'accept_dad', '0'));
  }
  // A DNATed packet from 127.0.0.1 leaves by the bridge; the kernel takes it for a martian without this. What the
  // containers could do with it is closed by the isolate intent.
  if (forwards(4) && settings.modeIPv4.startsWith('nat')) after.push(conf('ipv4', 'route_localnet', '1'));
  return { before, after };
}

function firewall(network: Network, settings: BridgeSettings): FirewallResource[] {
  return network.pools.flatMap((pool): FirewallResource[] => {
    const family = familyOfPool(pool);
    const { subnet } = pool;
    const common = { family, bridge: settings.bridge };
    const icc: FirewallResource = { ...common, kind: 'icc', allow: settings.icc, internal: network.internal };
    if (network.internal) return [{ ...common, kind: 'internal', subnet }, icc];
    const nat = mode(settings, family).startsWith('nat');
    const snat = family === 4 ? settings.snatIPv4 : settings.snatIPv6;
    const intents: FirewallResource[] = [
      {
        ...common,
        kind: 'isolate',
        subnet,
        trustedLinks: settings.trustedLinks,
        allowDirect: settings.allowDirect || mode(settings, family) !== 'nat',
        unprotected: mode(settings, family) === 'nat-unprotected',
        icmp: mode(settings, family) === 'routed',
      },
      icc,
    ];
    if (nat && settings.masquerade) {
      intents.push({ ...common, kind: 'masquerade', subnet, ...(snat === '' ? {} : { to: snat }) });
    }
    if (nat) intents.push({ ...common, kind: 'hairpin', subnet });
    return intents;
  });
}

/** What a network with a bridge, NAT and published ports needs. */
export function bridgeNetworkPlan(network: Network, settings: BridgeSettings): Plan {
  const { before, after } = sysctls(network, settings);
  return [
    ...before,
    {
      kind: 'bridge',
      name: settings.bridge,
      mtu: settings.mtu,
      ...(settings.adopted ? {} : { mac: settings.mac }),
      adopted: settings.adopted,
      tag: `${TAG_PREFIX}${network.id}`,
    },
    ...after,
    ...settings.addresses.map((address): Resource => ({
      kind: 'address',
      place: 'host',
      link: settings.bridge,
      address,
    })),
    ...firewall(network, settings),
  ];
}

function publishIntents(settings: BridgeSettings, endpoint: Endpoint): PublishIntent[] {
  return endpoint.ports.flatMap((port): PublishIntent[] => {
    const family: Family = port.hostAddress.includes(':') ? 6 : 4;
    const to = endpoint.addresses.find(({ address }) => address.includes(':') === (family === 6))?.address;
    if (to === undefined) return [];
    const { protocol, hostAddress, hostPort, containerPort, count } = port;
    return [
      {
        kind: 'publish',
        family,
        bridge: settings.bridge,
        protocol,
        hostAddress,
        hostPort,
        containerPort,
        count,
        to: to.slice(0, to.indexOf('/')),
        mode: mode(settings, family) === 'routed' ? 'routed' : 'nat',
        // Where container addresses may be reached from outside, a published port is open on them too.
        direct: settings.allowDirect || settings.trustedLinks.length > 0,
      },
    ];
  });
}

/** What one container on it needs. */
export function bridgeEndpointPlan(network: Network, settings: BridgeSettings, endpoint: Endpoint): Plan {
  const place = { sandbox: endpoint.sandboxId };
  const link = endpoint.interfaceName;
  return [
    { kind: 'link-up', place, link: 'lo' },
    {
      kind: 'veth',
      sandbox: endpoint.sandboxId,
      host: endpoint.hostLink,
      peer: link,
      master: settings.bridge,
      mtu: settings.mtu,
      mac: endpoint.mac,
      hairpin: true,
      isolated: !settings.icc,
      tag: `${TAG_PREFIX}${endpoint.id}`,
    },
    {
      kind: 'sysctl',
      place,
      key: `net/ipv6/conf/${link}/disable_ipv6`,
      // Without it the kernel would give a container of an IPv4 network a link-local address nobody asked for.
      value: endpoint.addresses.some(({ address }) => address.includes(':')) ? '0' : '1',
      mode: 'prefer',
    },
    ...endpoint.addresses.map(({ address }): Resource => ({ kind: 'address', place, link, address })),
    // The kernel adds this route with the address; it is named so that `diff` misses it when somebody deletes it.
    ...network.pools
      .filter((pool) => endpoint.addresses.some(({ address }) => address.includes(':') === pool.subnet.includes(':')))
      .map((pool): Resource => ({ kind: 'route', place, family: familyOfPool(pool), destination: pool.subnet, link })),
    ...limitResources(endpoint),
    ...publishIntents(settings, endpoint),
  ];
}
