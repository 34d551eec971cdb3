/**
 * overlay: one network over many hosts. A bridge and a VXLAN device a host, a veth pair a container.
 *
 *     host A, 192.168.77.1 in the underlay                     host B, 192.168.77.2
 *     ────────────────────────────────────                     ────────────────────
 *     eth0 ═══════════ UDP 4789: VXLAN, id 4097 ═══════════════ eth0
 *       ║                                                         ║
 *     tsx0 (vxlan, nolearning, proxy)                           tsx0
 *       └── tsn0 (bridge, 10.77.0.1/16)                           └── tsn0 (bridge, 10.77.0.1/16)
 *             └── veth ── eth0 10.77.0.2 in a sandbox                   └── veth ── eth0 10.77.0.3 in a sandbox
 *
 * East-west: 10.77.0.2 asks who has 10.77.0.3; the bridge hands the question to tsx0, which answers it itself out of its
 * neighbours (no ARP ever leaves the host). The frame to that MAC goes veth → bridge → tsx0, whose forwarding entry says
 * 192.168.77.2; into UDP, over eth0, out of UDP at B: tsx0 → bridge → veth. A MAC or address that nobody told of is dropped, not
 * flooded. All subnets of a network are one such Ethernet, so that containers of two of them speak directly.
 *
 * Out, in, and published ports are those of a bridge network (`drivers/bridge`): every host is a gateway by the same address and
 * MAC, translates what leaves to its own address, and publishes the ports of its own containers.
 *
 * mode=block, for large networks: every host has blocks of addresses. tsx0 is no port of the bridge then; packets are routed into
 * it, with one route a block, and one neighbour and one forwarding entry a host. The bridge answers ARP for the blocks of
 * others (`proxy_arp`), so that containers still see one subnet.
 *
 * What other hosts have comes as `peerPlan`, who they are as `guardPlan`, from whoever keeps in touch with the cluster.
 */
import { TsnetError } from '../../src/model/error.ts';
import { familyOf, hostPrefix, withoutLength } from '../../src/model/address.ts';
import type { Endpoint, Network } from '../../src/model/records.ts';
import { defineDriver } from '../../src/plan/driver.ts';
import { TAG_PREFIX, type Plan, type Resource } from '../../src/plan/resource.ts';
import { bridgeEndpointPlan, bridgeNetworkPlan } from '../bridge/plans.ts';
import { overlayOptionAliases, overlayOptions } from './options.ts';
import { deviceMac, overlayGuardPlan, overlayPeerPlan } from './peers.ts';
import { checkMtu, configureOverlay, localizeOverlay, type OverlaySettings } from './settings.ts';

/**
 * How often a container asks again for a MAC, milliseconds: one that asks before its host has been told of the other would else wait
 * for a second.
 */
const RETRANS_MS = 100;

function networkPlan(network: Network, settings: OverlaySettings): Plan {
  const { device, vni, port, vtep: local, mode, bridge, mtu } = settings;
  if (local === '') {
    throw new TsnetError(
      'INTERNAL',
      `plan network ${network.name}: this host's place in the underlay is not in its settings`,
    );
  }
  const plan = bridgeNetworkPlan(network, settings);
  return [
    ...plan.filter((resource, at) => !isRepeated(plan, resource, at)).map((resource) => adapted(resource, settings)),
    {
      kind: 'vxlan',
      name: device,
      vni,
      port,
      local,
      ...(mode === 'perIp' ? { master: bridge } : {}),
      mtu,
      mac: deviceMac(local),
      tag: `${TAG_PREFIX}${network.id}`,
    },
    ...(mode === 'block' ? blockParts(network, settings) : []),
  ];
}

/** Two subnets of a family ask for the same rule within the network. */
function isRepeated(plan: Plan, { kind, ...rest }: Resource, at: number): boolean {
  return (
    kind === 'icc' && plan.findIndex((one) => one.kind === 'icc' && 'family' in rest && one.family === rest.family) < at
  );
}

function adapted(resource: Resource, { mode }: OverlaySettings): Resource {
  // Nobody out there would answer the queries that snooping lives on; without them IPv6 neighbours are forgotten.
  if (resource.kind === 'bridge') return { ...resource, multicastSnooping: false };
  return resource.kind === 'masquerade' && mode === 'block' ? { ...resource, keepWithin: true } : resource;
}

/** The bridge answers for the addresses of other hosts, at once; and what comes by the device is of the network. */
function blockParts({ pools, enableIPv6 }: Network, { bridge, device }: OverlaySettings): Plan {
  const parameter = (key: string, value: string): Resource => ({
    kind: 'sysctl',
    place: 'host',
    key,
    value,
    mode: 'prefer',
  });
  return [
    parameter(`net/ipv4/conf/${bridge}/proxy_arp`, '1'),
    parameter(`net/ipv4/neigh/${bridge}/proxy_delay`, '0'),
    ...(enableIPv6
      ? [
          parameter(`net/ipv6/conf/${device}/disable_ipv6`, '0'),
          parameter(`net/ipv6/conf/${device}/accept_ra`, '0'),
          parameter(`net/ipv6/conf/${device}/accept_dad`, '0'),
        ]
      : []),
    ...pools.map(({ subnet }): Resource => ({
      kind: 'branch',
      family: familyOf(subnet),
      bridge,
      subnet,
      link: device,
    })),
  ];
}

function endpointPlan(network: Network, settings: OverlaySettings, endpoint: Endpoint): Plan {
  const place = { sandbox: endpoint.sandboxId };
  const plan = bridgeEndpointPlan(network, settings, endpoint);
  const routed = settings.mode === 'block' ? plan.flatMap((resource) => viaGateway(network, resource)) : plan;
  const families = new Set(endpoint.addresses.map(({ address }) => familyOf(address)));
  return [
    ...routed,
    ...[...families].map((family): Resource => ({
      kind: 'sysctl',
      place,
      key: `net/ipv${family}/neigh/${endpoint.interfaceName}/retrans_time_ms`,
      value: String(RETRANS_MS),
      mode: 'prefer',
    })),
  ];
}

/**
 * IPv6 in block mode: the kernel answers ND for single addresses only, never for a block (`proxy_ndp`), so a container reaches its
 * subnet by way of the gateway.
 */
function viaGateway({ pools }: Network, resource: Resource): Resource[] {
  if (resource.kind === 'address' && familyOf(resource.address) === 6) {
    return [{ ...resource, address: hostPrefix(withoutLength(resource.address)) }];
  }
  if (resource.kind !== 'route' || resource.family !== 6) return [resource];
  const gateway = pools.find(({ subnet }) => subnet === resource.destination)?.gateway;
  if (gateway === undefined) return [resource];
  return [
    { ...resource, destination: hostPrefix(gateway) },
    { ...resource, via: gateway },
  ];
}

export default defineDriver<OverlaySettings>({
  name: 'overlay',
  api: 1,
  scope: 'global',
  ipam: 'pools',
  linkKinds: ['bridge', 'vxlan', 'veth'],
  options: overlayOptions,
  aliases: overlayOptionAliases,
  parseSettings: (settings) => settings as OverlaySettings,
  configure: configureOverlay,
  localize: localizeOverlay,
  endpointDefaults: (_network, settings) => ({
    interfacePrefix: settings.interfacePrefix,
    publishAddress: settings.publishAddress,
  }),
  changeMtu: (network, settings, { mtu }) => {
    checkMtu(`change the MTU of network ${network.name}`, mtu, settings.mtuLimit);
    return { ...settings, mtu };
  },
  blockLength: (_network, { blockLength }) => blockLength,
  tellsNames: (_network, { names }) => names === 'store',
  peerPlan: overlayPeerPlan,
  guardPlan: overlayGuardPlan,
  networkPlan,
  endpointPlan,
});
