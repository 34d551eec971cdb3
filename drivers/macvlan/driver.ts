/**
 * macvlan: containers on the LAN of the host, each with a MAC and an address of its own, as if plugged into the same switch.
 *
 *     LAN switch ─┬─ router 192.168.22.1
 *                 │
 *     host        │                                   sandbox
 *     ────        │                                   ───────
 *     eth0 (parent, 192.168.22.11) ────┬───────────── eth0  02:42:c0:a8:16:c8, 192.168.22.200/24, default via 192.168.22.1
 *                                      └───────────── eth0  02:42:c0:a8:16:c9, 192.168.22.201/24   (another sandbox)
 *
 * Out: eth0 in the sandbox hands its frame to the parent, which sends it as it is: no bridge, no routing, no NAT, no firewall
 * of the host. In: the parent hands each frame to the link that has its destination MAC; broadcasts go to all.
 *
 * Between two sandboxes of one parent: in mode bridge directly, within the kernel; in mode vepa out to the switch, which must
 * send it back (reflective relay, IEEE 802.1Qbg); in mode private not at all. In mode passthru there is one sandbox, with the
 * parent's own MAC. Between a sandbox and its own host: not at all, unless host_access makes a shim (host-access.ts).
 *
 * Parent "eth0.50" is made as VLAN sub-interface where it is not there; without a parent a dummy link takes its place.
 */
import { TsnetError } from '../../src/model/error.ts';
import type { Endpoint, JsonValue, Network } from '../../src/model/records.ts';
import { defineDriver, type ConfigureInput, type EndpointDefaults } from '../../src/plan/driver.ts';
import { TAG_PREFIX, type MacvlanResource, type Plan } from '../../src/plan/resource.ts';
import { accessPlan, configureHostAccess, shimPlan, type HostAccess } from './host-access.ts';
import { lanEndpointPlan, OWN_ADDRESS } from './lan-endpoint.ts';
import { macvlanAliases, macvlanOptions } from './options.ts';
import { changeParentMtu, configureParent, parentPlan, type ParentSettings } from './parent-link.ts';

type Mode = MacvlanResource['mode'];

export interface MacvlanSettings extends ParentSettings {
  readonly mode: Mode;
  readonly hostAccess: HostAccess | null;
  readonly probe: boolean;
}

function configure(input: ConfigureInput): MacvlanSettings {
  const { draft, networks } = input;
  const { options } = draft;
  const mode = (options['macvlan_mode'] ?? 'bridge') as Mode;
  const parent = configureParent(input, 'dm-');
  refuseRivals(networks, draft.name, { parent: parent.parent, mode });
  const wantsAccess = options['host_access'] === true;
  if (wantsAccess && mode !== 'bridge') {
    throw new TsnetError(
      'FORBIDDEN',
      `create network ${draft.name}: host_access works in macvlan_mode bridge only; in ${mode} the kernel lets no sibling reach a container`,
    );
  }
  return {
    ...parent,
    mode,
    hostAccess: wantsAccess ? configureHostAccess(input, parent.parent) : null,
    probe: options['address_probe'] !== false,
  };
}

/** The kernel gives a parent to macvlan or to ipvlan, and to a network in mode passthru alone. */
function refuseRivals(
  networks: readonly Network[],
  name: string,
  { parent, mode }: { readonly parent: string; readonly mode: Mode },
): void {
  const isAlone = (wanted: JsonValue | undefined): boolean => wanted === 'passthru';
  for (const other of networks) {
    if (other.settings['parent'] !== parent) continue;
    if (other.driver === 'macvlan' && !isAlone(mode) && !isAlone(other.settings['mode'])) continue;
    const why =
      other.driver === 'ipvlan' ? 'macvlan and ipvlan do not share one' : 'mode passthru has its parent to itself';
    throw new TsnetError(
      'FORBIDDEN',
      `create network ${name}: network ${other.name} (${other.driver}) is on parent ${parent}, and ${why}; name another parent`,
    );
  }
}

function endpointDefaults(network: Network, settings: MacvlanSettings): EndpointDefaults {
  const { parent, parentIs, mode, hostAccess, probe } = settings;
  const remedy = mode === 'bridge' ? '; create the network with -o host_access=true if they should' : '';
  return {
    interfacePrefix: 'eth',
    publishAddress: '0.0.0.0',
    refusesPorts: OWN_ADDRESS,
    ...(mode === 'passthru' ? { refusesMac: `in mode passthru the container has the MAC of ${parent}` } : {}),
    ...(probe && parentIs !== 'dummy' ? { probeLink: parent } : {}),
    ...(mode !== 'passthru' && parentIs !== 'dummy' ? { dhcpLink: parent } : {}),
    ...(hostAccess !== null || parentIs === 'dummy'
      ? {}
      : {
          caveat: `this host and its containers on ${network.name} will not reach each other: the kernel keeps a macvlan link and its parent apart${remedy}`,
        }),
  };
}

function networkPlan(network: Network, settings: MacvlanSettings): Plan {
  const { parent, hostAccess } = settings;
  return [...parentPlan(settings, network.id), ...(hostAccess === null ? [] : shimPlan(hostAccess, network, parent))];
}

function endpointPlan(network: Network, settings: MacvlanSettings, endpoint: Endpoint): Plan {
  const { parent, mode, mtu, hostAccess } = settings;
  const link: MacvlanResource = {
    kind: 'macvlan',
    place: { sandbox: endpoint.sandboxId },
    name: endpoint.interfaceName,
    parent,
    mode,
    ...(mode === 'passthru' ? {} : { mac: endpoint.mac }),
    ...(mtu === 0 ? {} : { mtu }),
    tag: `${TAG_PREFIX}${endpoint.id}`,
  };
  return [
    ...lanEndpointPlan(network, endpoint, link),
    ...(hostAccess === null ? [] : accessPlan(hostAccess, endpoint)),
  ];
}

export default defineDriver<MacvlanSettings>({
  name: 'macvlan',
  api: 1,
  scope: 'local',
  ipam: 'lan',
  linkKinds: ['macvlan', 'vlan'],
  endpointLink: 'macvlan',
  options: macvlanOptions,
  aliases: macvlanAliases,
  parseSettings: (settings) => settings as MacvlanSettings,
  configure,
  endpointDefaults,
  changeMtu: changeParentMtu,
  networkPlan,
  endpointPlan,
});
