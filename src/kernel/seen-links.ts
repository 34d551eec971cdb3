/**
 * Links for whoever compares: read together, and once. What is about to be changed is looked for anew (`findLinks`).
 *
 * A container has two or three links, and one dump has them all. The host's are asked for one by one, until so many have been
 * asked for that a dump of all costs less.
 */
import type { Place } from '../plan/resource.ts';
import { dumpLinks, parseLink, type Link } from './link-message.ts';
import { findLinks, type Scene } from './scene.ts';

const MOST_ASKED_SINGLY = 32;

const asked = new WeakMap<Scene, number>();

/** The links of these names, undefined for those that are not there, in the order given. */
export async function seenLinks(scene: Scene, place: Place, names: readonly string[]): Promise<(Link | undefined)[]> {
  if (place === 'host') {
    const already = asked.get(scene) ?? 0;
    asked.set(scene, already + names.length);
    if (already + names.length <= MOST_ASKED_SINGLY) return findLinks(scene, place, names);
  }
  const links = await scene.snapshot(place, 'links', async () => {
    const replies = await (await scene.socket(place)).dump(dumpLinks());
    const all = new Map(replies.map(parseLink).map((link) => [link.name, link]));
    for (const { name, index } of all.values()) scene.remember(place, name, index);
    return all;
  });
  return names.map((name) => links.get(name));
}
