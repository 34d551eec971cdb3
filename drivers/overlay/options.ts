/**
 * The options of the overlay driver: our names, their types, and the Docker names that mean them (libnetwork drivers/overlay,
 * netlabel/labels.go).
 */
import type { OptionAliases, OptionsSchema } from '../../src/plan/driver.ts';

export const overlayOptions: OptionsSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    mode: {
      type: 'string',
      enum: ['perIp', 'block'],
      description:
        'perIp: every host knows every container, one flat Ethernet. block: every host has blocks of addresses and knows those of the others; for large networks.',
    },
    'block-size': {
      type: 'integer',
      minimum: 1,
      maximum: 32,
      description:
        'mode=block: prefix length of the IPv4 blocks; an IPv6 subnet is cut into as many. 24, or in a subnet smaller than a /16 the length that makes 256 blocks, at most 28.',
    },
    names: {
      type: 'string',
      enum: ['host', 'store'],
      description:
        "mode=block: who knows a container's name. host: its own host. store: all hosts, which ask the store when they need it; it is written when a container comes or goes.",
    },
    mtu: {
      type: 'integer',
      minimum: 68,
      maximum: 65535,
      description: 'MTU of the containers; the MTU between the hosts less 50 (IPv6 underlay: 70) unless given.',
    },
    port: {
      type: 'integer',
      minimum: 1,
      maximum: 65535,
      description: 'UDP port of VXLAN; that of the cluster unless given.',
    },
    vni: {
      type: 'string',
      pattern: '^[0-9]{1,8}$',
      description: 'VXLAN network identifier; a free one unless given.',
    },
    masquerade: { type: 'boolean', description: "What leaves the network has the host's address." },
    'bridge.name': { type: 'string', pattern: '^[^/:\\s]{1,15}$', description: 'Name of the bridge, on every host.' },
    'host-address': { type: 'string', description: 'Host address of published ports given without one.' },
    'interface-prefix': {
      type: 'string',
      pattern: '^[A-Za-z][A-Za-z0-9_.-]{0,11}$',
      description: 'Interfaces inside containers are named this and a number.',
    },
    encrypted: { type: 'string', description: 'Refused: there is no encryption between the hosts.' },
  },
};

export const overlayOptionAliases: OptionAliases = {
  'com.docker.network.driver.mtu': 'mtu',
  'com.docker.network.driver.overlay.vxlanid_list': 'vni',
  'com.docker.network.driver.overlay.encrypted': 'encrypted',
  'com.docker.network.bridge.enable_ip_masquerade': 'masquerade',
  'com.docker.network.bridge.name': 'bridge.name',
  'com.docker.network.bridge.host_binding_ipv4': 'host-address',
  'com.docker.network.container_iface_prefix': 'interface-prefix',
};
