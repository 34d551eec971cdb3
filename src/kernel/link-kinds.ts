/**
 * Which kinds of link this kernel can make: asked for one with a MAC that no link may have, it refuses either the kind, which it
 * does not know, or the MAC (rtnl_newlink in net/core/rtnetlink.c looks for the kind first). Nothing is made. As for any link that
 * is made, the kernel loads the module of the kind if there is one.
 */
import { createUpperLink } from './link-message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

const NO_MAC = '00:00:00:00:00:00';

export async function supportedLinkKinds(
  host: NetlinkSocket,
  kinds: readonly string[],
): Promise<ReadonlyMap<string, boolean>> {
  const outcomes = await host.batch(kinds.map((kind) => createUpperLink({ mac: NO_MAC }, { kind, data: [] })));
  return new Map(kinds.map((kind, index) => [kind, outcomes[index]?.refusal?.code !== 'EOPNOTSUPP']));
}
