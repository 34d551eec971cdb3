/** VLAN sub-interfaces of the host, 802.1Q (include/uapi/linux/if_link.h, IFLA_VLAN_). */
import type { VlanResource } from '../plan/resource.ts';
import type { Executor } from './executor.ts';
import { u16Attribute, u16Of } from './netlink-attribute.ts';
import { upperLinkExecutor } from './upper-link.ts';

const IFLA_VLAN_ID = 1;

export const vlanExecutor: Executor<'vlan'> = upperLinkExecutor<VlanResource>({
  kind: 'vlan',
  needs: 'CONFIG_VLAN_8021Q (module 8021q); or name a parent that is there with -o parent=LINK',
  // An administrator's configuration may make it at the next boot, before we do.
  untagged: 'theirs',
  data: ({ id }) => [u16Attribute(IFLA_VLAN_ID, id)],
  unlike: ({ name, id }, data) => (u16Of(data, IFLA_VLAN_ID) === id ? [] : [`${name} is not VLAN ${id}`]),
});
