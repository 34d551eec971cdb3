/**
 * Links that exist and must be up: `lo` of a sandbox, without which a container cannot reach itself.
 */
import type { Observation } from '../plan/kernel.ts';
import type { Executor } from './executor.ts';
import { setLink } from './link-message.ts';
import { observePlaces } from './observe-places.ts';
import { seenLinks } from './seen-links.ts';

export const linkUpExecutor: Executor<'link-up'> = {
  ensure(resources, scene) {
    for (const { place, link } of resources) {
      scene.post(place, [
        { attempt: `bring up ${link} in ${scene.describe(place)}`, request: setLink(link, { up: true }) },
      ]);
    }
    return Promise.resolve();
  },

  /** A link that is up harms nobody, and somebody else may want it so. */
  remove: () => Promise.resolve([]),

  observe: (resources, scene) =>
    observePlaces(resources, scene, async (place, links) => {
      const found = await seenLinks(
        scene,
        place,
        links.map(({ link }) => link),
      );
      return links.map((resource, index): Observation => {
        const link = found[index];
        if (link === undefined) return { resource, state: 'missing' };
        return link.up ? { resource, state: 'present' } : { resource, state: 'wrong', detail: `${link.name} is down` };
      });
    }),
};
