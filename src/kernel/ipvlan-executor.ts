/** Ipvlan links in sandboxes (include/uapi/linux/if_link.h, IFLA_IPVLAN_). */
import type { IpvlanResource } from '../plan/resource.ts';
import type { Executor } from './executor.ts';
import { u16Attribute, u16Of } from './netlink-attribute.ts';
import { upperLinkExecutor } from './upper-link.ts';

const IFLA_IPVLAN_MODE = 1;
const IFLA_IPVLAN_FLAGS = 2;
const MODES: Readonly<Record<IpvlanResource['mode'], number>> = { l2: 0, l3: 1, l3s: 2 };
/** IPVLAN_F_PRIVATE, IPVLAN_F_VEPA */
const FLAGS: Readonly<Record<IpvlanResource['flag'], number>> = { bridge: 0, private: 1, vepa: 2 };

export const ipvlanExecutor: Executor<'ipvlan'> = upperLinkExecutor<IpvlanResource>({
  kind: 'ipvlan',
  needs: 'CONFIG_IPVLAN (module ipvlan)',
  untagged: 'ours',
  data: ({ mode, flag }) => [u16Attribute(IFLA_IPVLAN_MODE, MODES[mode]), u16Attribute(IFLA_IPVLAN_FLAGS, FLAGS[flag])],
  // Mode and flag are the parent's: what one link changes, all have.
  unlike: ({ name, mode, flag }, data) => [
    ...(u16Of(data, IFLA_IPVLAN_MODE) === MODES[mode] ? [] : [`${name} is not in mode ${mode}`]),
    ...((u16Of(data, IFLA_IPVLAN_FLAGS) ?? 0) === FLAGS[flag] ? [] : [`${name} has not flag ${flag}`]),
  ],
  explain: ({ parent }, code) =>
    code === 'EBUSY' ? `a bridge, a bond or a macvlan has ${parent}; name another parent` : undefined,
});
