/**
 * Observing links, addresses, routes and the like: sandboxes side by side, since looking into one is mostly waiting for the
 * kernel's answers.
 */
import type { Observation } from '../plan/kernel.ts';
import type { LinkResource } from '../plan/resource.ts';
import type { Executors } from './executor.ts';
import { observeRun, runsOf } from './runs.ts';
import type { Scene } from './scene.ts';

/** Fewer than a scene keeps open. */
const SANDBOXES_AT_ONCE = 16;

/** The sandbox that a resource has to do with; "": the host alone. */
function sandboxOf(resource: LinkResource): string {
  if ('sandbox' in resource) return resource.sandbox;
  return 'place' in resource && resource.place !== 'host' ? resource.place.sandbox : '';
}

/** One observation a resource, in no particular order. */
export async function observeLinks(
  executors: Executors,
  resources: readonly LinkResource[],
  scene: Scene,
): Promise<Observation[]> {
  const groups = new Map<string, LinkResource[]>();
  for (const resource of resources) {
    const sandbox = sandboxOf(resource);
    const group = groups.get(sandbox);
    if (group === undefined) groups.set(sandbox, [resource]);
    else group.push(resource);
  }
  const observations: Observation[] = [];
  const waiting = [...groups.values()].values();
  const look = async (): Promise<void> => {
    for (const group of waiting) {
      for (const run of runsOf(group)) observations.push(...(await observeRun(executors, run, scene)));
    }
  };
  // All wait for the last one: nobody may still look around in a scene that is being closed.
  const done = await Promise.allSettled(Array.from({ length: SANDBOXES_AT_ONCE }, look));
  const failed = done.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return observations;
}
