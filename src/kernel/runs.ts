/**
 * Runs: neighbours of one kind in a plan, so that their messages travel together.
 */
import type { TsnetError } from '../model/error.ts';
import type { Observation } from '../plan/kernel.ts';
import type { LinkResource, Place } from '../plan/resource.ts';
import type { Executor, Executors, LinkKind, LinkResourceOf } from './executor.ts';
import type { Scene } from './scene.ts';

/** Resources of one kind, in the plan's order. */
export interface Run<K extends LinkKind = LinkKind> {
  readonly kind: K;
  readonly resources: readonly LinkResourceOf<K>[];
}

export function runsOf(resources: readonly LinkResource[]): Run[] {
  const runs: { kind: LinkKind; resources: LinkResource[] }[] = [];
  for (const resource of resources) {
    const last = runs.at(-1);
    if (last?.kind === resource.kind) last.resources.push(resource);
    else runs.push({ kind: resource.kind, resources: [resource] });
  }
  return runs;
}

export function ensureRun<K extends LinkKind>(executors: Executors, run: Run<K>, scene: Scene): Promise<void> {
  return executorOf(executors, run).ensure(run.resources, scene);
}

export function removeRun<K extends LinkKind>(
  executors: Executors,
  run: Run<K>,
  scene: Scene,
): Promise<readonly TsnetError[]> {
  return executorOf(executors, run).remove(run.resources, scene);
}

export function observeRun<K extends LinkKind>(
  executors: Executors,
  run: Run<K>,
  scene: Scene,
): Promise<Observation[]> {
  return executorOf(executors, run).observe(run.resources, scene);
}

function executorOf<K extends LinkKind>(executors: Executors, run: Run<K>): Executor<K> {
  return executors[run.kind];
}

/**
 * A plan without the addresses and routes of veth peers that it names itself: they go with the link, so that removing an
 * endpoint does not even enter its namespace.
 */
export function withoutWhatGoesWithItsLink(resources: readonly LinkResource[]): LinkResource[] {
  const key = (place: Place, link: string): string => `${place === 'host' ? '' : place.sandbox}/${link}`;
  const leaving = new Set(
    resources.flatMap((resource) =>
      resource.kind === 'veth' ? [key({ sandbox: resource.sandbox }, resource.peer)] : [],
    ),
  );
  return resources.filter(
    (resource) =>
      (resource.kind !== 'address' && resource.kind !== 'route') || !leaving.has(key(resource.place, resource.link)),
  );
}
