/**
 * Links of the host that carry our tag and that no plan names.
 */
import type { Orphan } from '../plan/kernel.ts';
import type { LinkResource } from '../plan/resource.ts';
import { readTaggedLinks } from './facts.ts';
import { deleteLink, getLink } from './link-message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { linkIn } from './scene.ts';
import { tryAll } from './steps.ts';

export async function linkOrphans(host: NetlinkSocket, plan: readonly LinkResource[]): Promise<Orphan[]> {
  const named = new Set(plan.flatMap((resource) => ('tag' in resource ? [resource.tag] : [])));
  const tagged = await readTaggedLinks(host);
  return tagged.filter(({ alias }) => !named.has(alias)).map(({ name, alias }) => ({ kind: 'link', name, tag: alias }));
}

/** Removes the links among the orphans that still carry their tag. */
export async function sweepLinks(host: NetlinkSocket, orphans: readonly Orphan[]): Promise<void> {
  const links = orphans.filter((orphan) => orphan.kind === 'link');
  const outcomes = await host.batch(links.map(({ name }) => getLink(name)));
  const steps = links.flatMap(({ name, tag }, index) => {
    const attempt = `delete orphaned link ${name}`;
    const link = linkIn(outcomes[index], attempt);
    return link?.alias === tag ? [{ attempt, request: deleteLink(link.index) }] : [];
  });
  const failures = await tryAll(host, steps, ['ENODEV']);
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('; '));
}
