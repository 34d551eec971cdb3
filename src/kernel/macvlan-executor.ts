/** Macvlan links, in sandboxes and on the host (include/uapi/linux/if_link.h, IFLA_MACVLAN_). */
import type { MacvlanResource } from '../plan/resource.ts';
import type { Executor } from './executor.ts';
import { u32Attribute, u32Of } from './netlink-attribute.ts';
import { upperLinkExecutor } from './upper-link.ts';

const IFLA_MACVLAN_MODE = 1;
const MODES: Readonly<Record<MacvlanResource['mode'], number>> = { private: 1, vepa: 2, bridge: 4, passthru: 8 };

export const macvlanExecutor: Executor<'macvlan'> = upperLinkExecutor<MacvlanResource>({
  kind: 'macvlan',
  needs: 'CONFIG_MACVLAN (module macvlan)',
  untagged: 'ours',
  data: ({ mode }) => [u32Attribute(IFLA_MACVLAN_MODE, MODES[mode])],
  unlike: ({ name, mode }, data) =>
    u32Of(data, IFLA_MACVLAN_MODE) === MODES[mode] ? [] : [`${name} is not in mode ${mode}`],
  explain: ({ parent, mode }, code) => {
    if (code === 'EBUSY') return `a bridge, a bond or an ipvlan has ${parent}; name another parent`;
    if (code !== 'EINVAL') return undefined;
    return mode === 'passthru'
      ? `a container is on ${parent} already, and passthru gives it to one alone; disconnect the other`
      : `a container in mode passthru has ${parent} to itself; disconnect it, or name another parent`;
  },
});
