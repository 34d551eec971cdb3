/**
 * What every executor does. An executor makes one kind of resource true, and is handed runs of them, so that the messages
 * of one namespace travel together.
 */
import type { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type { LinkResource, Place } from '../plan/resource.ts';
import type { Scene } from './scene.ts';

export type LinkKind = LinkResource['kind'];
export type LinkResourceOf<K extends LinkKind> = Extract<LinkResource, { readonly kind: K }>;

export interface Executor<K extends LinkKind> {
  /** Makes the resources true, in order; throws TsnetError at the first that it cannot. What is right is left alone. */
  ensure(resources: readonly LinkResourceOf<K>[], scene: Scene): Promise<void>;
  /** Removes the resources that are ours and tells those that it could not; what is gone, and what is not ours, is fine. */
  remove(resources: readonly LinkResourceOf<K>[], scene: Scene): Promise<readonly TsnetError[]>;
  /** One observation a resource, in the order given. */
  observe(resources: readonly LinkResourceOf<K>[], scene: Scene): Promise<Observation[]>;
}

/** The executors, one a kind: a kind without one does not compile. */
export type Executors = { readonly [K in LinkKind]: Executor<K> };

/** Resources by where they live, the order within a place kept. */
export function byPlace<R extends { readonly place: Place }>(
  resources: readonly R[],
): (readonly [Place, readonly R[]])[] {
  const groups = new Map<string, [Place, R[]]>();
  for (const resource of resources) {
    const key = resource.place === 'host' ? '' : resource.place.sandbox;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [resource.place, [resource]]);
    else group[1].push(resource);
  }
  return [...groups.values()];
}

/** `wrong` if something differs, else `present`. */
export function observed(resource: LinkResource, differences: readonly string[]): Observation {
  return differences.length === 0
    ? { resource, state: 'present' }
    : { resource, state: 'wrong', detail: differences.join('; ') };
}
