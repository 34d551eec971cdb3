/**
 * Observing resources place by place: one visit to each namespace, answers in the order asked for.
 */
import type { Observation } from '../plan/kernel.ts';
import type { LinkResource, Place } from '../plan/resource.ts';
import { byPlace } from './executor.ts';
import { isGone, type Scene } from './scene.ts';

/** `look` answers for the resources of one place. All that should live in a namespace that is gone is missing. */
export async function observePlaces<R extends LinkResource & { readonly place: Place }>(
  resources: readonly R[],
  scene: Scene,
  look: (place: Place, resources: readonly R[]) => Promise<readonly Observation[]>,
): Promise<Observation[]> {
  const observations = new Map<LinkResource, Observation>();
  for (const [place, group] of byPlace(resources)) {
    for (const [index, observation] of (await lookOrGone(place, group, look)).entries()) {
      const resource = group[index];
      if (resource !== undefined) observations.set(resource, observation);
    }
  }
  return resources.map((resource) => observations.get(resource) ?? { resource, state: 'missing' });
}

async function lookOrGone<R extends LinkResource>(
  place: Place,
  resources: readonly R[],
  look: (place: Place, resources: readonly R[]) => Promise<readonly Observation[]>,
): Promise<readonly Observation[]> {
  try {
    return await look(place, resources);
  } catch (error) {
    if (!isGone(error)) throw error;
    return resources.map((resource) => ({ resource, state: 'missing' }));
  }
}
