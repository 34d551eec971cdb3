/**
 * ipvlan: containers on the LAN of the host with addresses of their own and the MAC of the host: for switches and clouds that
 * let one MAC through a port.
 *
 *     LAN switch ─┬─ router 192.168.22.1
 *                 │
 *     host        │                                   sandbox
 *     ────        │                                   ───────
 *     eth0 (parent, MAC a, 192.168.22.11) ─┬───────── eth0  MAC a, 192.168.22.200/24, default via 192.168.22.1
 *                                          └───────── eth0  MAC a, 192.168.22.201/24   (another sandbox)
 *
 * Mode l2: out, eth0 in the sandbox hands its frame to the parent, which sends it as it is. In, the parent hands each packet to
 * the link that has its destination address; ARP and ND requests go to all.
 *
 * Mode l3: the parent routes. What leaves a sandbox is looked up in the host's routes and sent by the parent; there is no ARP
 * and no broadcast in the sandbox, and its default route is the interface itself. Nobody on the LAN finds the sandbox by
 * asking: the LAN's routers need a route to the subnet by this host. l3s: the same, through the host's netfilter.
 *
 * Between two sandboxes of one parent: directly (flag bridge, the default), by way of the switch (vepa), not at all (private).
 * Between a sandbox and its own host: not at all, in every mode.
 */
import { TsnetError } from '../../src/model/error.ts';
import type { Endpoint, Network } from '../../src/model/records.ts';
import {
  defineDriver,
  type ConfigureInput,
  type EndpointDefaults,
  type OptionAliases,
  type OptionsSchema,
} from '../../src/plan/driver.ts';
import { TAG_PREFIX, type IpvlanResource, type Plan } from '../../src/plan/resource.ts';
import { lanEndpointPlan, OWN_ADDRESS } from '../macvlan/lan-endpoint.ts';
import { PARENT_ALIASES, PARENT_OPTIONS } from '../macvlan/options.ts';
import { changeParentMtu, configureParent, parentPlan, type ParentSettings } from '../macvlan/parent-link.ts';

type Mode = IpvlanResource['mode'];
type Flag = IpvlanResource['flag'];

export interface IpvlanSettings extends ParentSettings {
  readonly mode: Mode;
  readonly flag: Flag;
  readonly probe: boolean;
}

const options: OptionsSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    ...PARENT_OPTIONS,
    ipvlan_mode: {
      type: 'string',
      enum: ['l2', 'l3', 'l3s'],
      description: 'The host switches for its containers (l2, the default), routes (l3), or routes and filters (l3s).',
    },
    ipvlan_flag: {
      type: 'string',
      enum: ['bridge', 'private', 'vepa'],
      description: 'Whether containers on this host hear each other: bridge (the default), private, vepa.',
    },
  },
};

const aliases: OptionAliases = { ...PARENT_ALIASES, mode: 'ipvlan_mode' };

function configure(input: ConfigureInput): IpvlanSettings {
  const { draft, networks } = input;
  const parent = configureParent(input, 'di-');
  // Mode and flag are the parent's in the kernel: a second network would change the first one's.
  const rival = networks.find(({ settings }) => settings['parent'] === parent.parent);
  if (rival !== undefined) {
    throw new TsnetError(
      'FORBIDDEN',
      `create network ${draft.name}: network ${rival.name} (${rival.driver}) is on parent ${parent.parent}, and an ipvlan network has its parent to itself; name another parent`,
    );
  }
  return {
    ...parent,
    mode: (draft.options['ipvlan_mode'] ?? 'l2') as Mode,
    flag: (draft.options['ipvlan_flag'] ?? 'bridge') as Flag,
    probe: draft.options['address_probe'] !== false,
  };
}

function endpointDefaults(network: Network, settings: IpvlanSettings): EndpointDefaults {
  const { parent, parentIs, mode, probe } = settings;
  return {
    interfacePrefix: 'eth',
    publishAddress: '0.0.0.0',
    refusesPorts: OWN_ADDRESS,
    refusesMac: `all containers on it have the MAC of ${parent}`,
    // In l3 nobody answers for an address by its MAC.
    ...(probe && parentIs !== 'dummy' && mode === 'l2' ? { probeLink: parent } : {}),
    ...(mode === 'l2' ? {} : { defaultRoute: 'link' }),
    ...(parentIs === 'dummy'
      ? {}
      : {
          caveat: `this host and its containers on ${network.name} will not reach each other: the kernel keeps an ipvlan link and its parent apart`,
        }),
  };
}

function endpointPlan(network: Network, settings: IpvlanSettings, endpoint: Endpoint): Plan {
  const { parent, mode, flag, mtu } = settings;
  const link: IpvlanResource = {
    kind: 'ipvlan',
    place: { sandbox: endpoint.sandboxId },
    name: endpoint.interfaceName,
    parent,
    mode,
    flag,
    ...(mtu === 0 ? {} : { mtu }),
    tag: `${TAG_PREFIX}${endpoint.id}`,
  };
  return lanEndpointPlan(network, endpoint, link);
}

export default defineDriver<IpvlanSettings>({
  name: 'ipvlan',
  api: 1,
  scope: 'local',
  ipam: 'lan',
  linkKinds: ['ipvlan', 'vlan'],
  endpointLink: 'ipvlan',
  options,
  aliases,
  parseSettings: (settings) => settings as IpvlanSettings,
  configure,
  endpointDefaults,
  changeMtu: changeParentMtu,
  networkPlan: (network, settings) => parentPlan(settings, network.id),
  endpointPlan,
});
