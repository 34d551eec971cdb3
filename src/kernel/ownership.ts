/**
 * Whether a link of the host is ours.
 *
 * The kernel takes an alias only for a link that exists, so between the two messages a link of ours has none. A MAC that
 * only we would give proves it then: a crash in that moment leaves nothing that we would not know again.
 */
import { sha256 } from '../model/sha256.ts';
import type { Link } from './link-message.ts';

export function isOurs(link: Link, wanted: { readonly tag: string; readonly mac?: string }): boolean {
  if (link.alias !== undefined) return link.alias === wanted.tag;
  return wanted.mac !== undefined && link.mac === wanted.mac.toLowerCase();
}

/** A locally administered unicast MAC (second hex digit 2) that follows from the tag. */
export function macOfTag(tag: string): string {
  return ['02', ...(sha256(tag).slice(0, 10).match(/../g) ?? [])].join(':');
}
