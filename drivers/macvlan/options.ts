/** The options of the macvlan driver: Docker's names (Docker Engine, "Macvlan network driver"), and ours where Docker has none. */
import type { OptionAliases, OptionsSchema } from '../../src/plan/driver.ts';

/** Options that ipvlan has as well. */
export const PARENT_OPTIONS = {
  parent: {
    type: 'string',
    pattern: '^[^/:\\s]{1,15}$',
    description:
      'Link of the host that the containers stand on. eth0.50 is made as a VLAN sub-interface if it is not there. Without one they are among themselves.',
  },
  mtu: { type: 'integer', minimum: 68, maximum: 65535, description: "MTU of the containers; the parent's by default." },
  address_probe: {
    type: 'boolean',
    description: 'Ask the LAN whether somebody has an address before a container gets it (some 300 ms). Default true.',
  },
} as const;

export const PARENT_ALIASES: OptionAliases = { 'com.docker.network.driver.mtu': 'mtu' };

export const macvlanOptions: OptionsSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    ...PARENT_OPTIONS,
    macvlan_mode: {
      type: 'string',
      enum: ['bridge', 'private', 'vepa', 'passthru'],
      description:
        'Who hears whom on this host: all (bridge, the default), nobody (private), by way of the switch (vepa), or one container has the parent to itself (passthru).',
    },
    host_access: {
      type: 'boolean',
      description:
        'The host and its containers on the network reach each other. Default false: the kernel keeps them apart.',
    },
  },
};

export const macvlanAliases: OptionAliases = { ...PARENT_ALIASES, mode: 'macvlan_mode' };
