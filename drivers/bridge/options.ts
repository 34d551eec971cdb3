/**
 * The options of the bridge driver: our names, their types, and the Docker names that mean them
 * (Docker Engine, "Bridge network driver", options table).
 */
import type { OptionAliases, OptionsSchema } from '../../src/plan/driver.ts';

const GATEWAY_MODES = ['nat', 'nat-unprotected', 'routed', 'isolated'];

export const bridgeOptions: OptionsSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    'bridge.name': {
      type: 'string',
      pattern: '^[^/:\\s]{1,15}$',
      description: 'Name of the bridge. A bridge that exists already is used and never deleted.',
    },
    'bridge.masquerade': { type: 'boolean', description: 'Source NAT of outgoing traffic.' },
    'bridge.icc': { type: 'boolean', description: 'Whether containers of the network reach each other.' },
    'bridge.host-address': { type: 'string', description: 'Host address of published ports given without one.' },
    'bridge.gateway-mode-ipv4': { type: 'string', enum: GATEWAY_MODES, description: 'How IPv4 leaves and enters.' },
    'bridge.gateway-mode-ipv6': { type: 'string', enum: GATEWAY_MODES, description: 'How IPv6 leaves and enters.' },
    'bridge.inhibit-ipv4': { type: 'boolean', description: 'Give the bridge no IPv4 address.' },
    'bridge.trusted-interfaces': {
      type: 'string',
      description: 'Interfaces from which container addresses are reachable directly, separated by colons.',
    },
    'snat-ipv4': { type: 'string', description: 'Source address of outgoing IPv4 traffic, instead of masquerading.' },
    'snat-ipv6': { type: 'string', description: 'Source address of outgoing IPv6 traffic, instead of masquerading.' },
    mtu: { type: 'integer', minimum: 68, maximum: 65535, description: 'MTU of the bridge and of the containers.' },
    'interface-prefix': {
      type: 'string',
      pattern: '^[A-Za-z][A-Za-z0-9_.-]{0,11}$',
      description: 'Interfaces inside containers are named this and a number.',
    },
  },
};

export const bridgeOptionAliases: OptionAliases = {
  'com.docker.network.bridge.name': 'bridge.name',
  'com.docker.network.bridge.enable_ip_masquerade': 'bridge.masquerade',
  'com.docker.network.bridge.enable_icc': 'bridge.icc',
  'com.docker.network.bridge.host_binding_ipv4': 'bridge.host-address',
  'com.docker.network.bridge.gateway_mode_ipv4': 'bridge.gateway-mode-ipv4',
  'com.docker.network.bridge.gateway_mode_ipv6': 'bridge.gateway-mode-ipv6',
  'com.docker.network.bridge.inhibit_ipv4': 'bridge.inhibit-ipv4',
  'com.docker.network.bridge.trusted_host_interfaces': 'bridge.trusted-interfaces',
  'com.docker.network.host_ipv4': 'snat-ipv4',
  'com.docker.network.host_ipv6': 'snat-ipv6',
  'com.docker.network.driver.mtu': 'mtu',
  'com.docker.network.container_iface_prefix': 'interface-prefix',
};
