/**
 * The daemon's engine: after each change its followers are in step before the change is answered. One exception: a container that
 * somebody else runs need not wait until names are served in its namespace, which is some 20 ms with its first network. A
 * program that is about to start in a sandbox of our own does.
 */
import type { Engine } from '../engine/engine.ts';

/** `only`: ids of the sandboxes that changed; everything may have, where it is undefined. */
export type Follow = (only?: ReadonlySet<string>, wait?: 'for-all' | 'not-for-names') => Promise<void>;

const NO_SANDBOX: ReadonlySet<string> = new Set();
const FULL_ID = /^[0-9a-f]{64}$/;

export function followingEngine(engine: Engine, follow: Follow): Engine {
  /** What was begun and failed may have changed something too, until it is undone. */
  const then = async <T>(
    work: Promise<T>,
    changed: (answer: T) => ReadonlySet<string> | undefined,
    wait: 'for-all' | 'not-for-names' = 'not-for-names',
  ): Promise<T> => {
    let answer: T;
    try {
      answer = await work;
    } catch (error) {
      await follow();
      throw error;
    }
    await follow(changed(answer), wait);
    return answer;
  };
  const rehearsed = (request?: { readonly dryRun?: boolean }): boolean => request?.dryRun === true;
  const oneSandbox = ({ endpoint }: { readonly endpoint: { readonly sandboxId: string } }): ReadonlySet<string> =>
    new Set([endpoint.sandboxId]);

  return {
    ...engine,
    createNetwork: (request) =>
      rehearsed(request) ? engine.createNetwork(request) : then(engine.createNetwork(request), () => NO_SANDBOX),
    removeNetwork: (request) =>
      rehearsed(request) ? engine.removeNetwork(request) : then(engine.removeNetwork(request), () => NO_SANDBOX),
    pruneNetworks: (request) =>
      rehearsed(request) ? engine.pruneNetworks(request) : then(engine.pruneNetworks(request), () => NO_SANDBOX),
    connect: (request) => (rehearsed(request) ? engine.connect(request) : then(engine.connect(request), oneSandbox)),
    disconnect: (request) =>
      rehearsed(request) ? engine.disconnect(request) : then(engine.disconnect(request), oneSandbox),
    updateNetwork: (request) =>
      rehearsed(request) ? engine.updateNetwork(request) : then(engine.updateNetwork(request), () => NO_SANDBOX),
    updateEndpoint: (request) =>
      rehearsed(request) ? engine.updateEndpoint(request) : then(engine.updateEndpoint(request), oneSandbox),
    publish: (request) => (rehearsed(request) ? engine.publish(request) : then(engine.publish(request), oneSandbox)),
    unpublish: (request) =>
      rehearsed(request) ? engine.unpublish(request) : then(engine.unpublish(request), oneSandbox),
    attachContainer: (request) => then(engine.attachContainer(request), ({ sandbox }) => new Set([sandbox.id])),
    detachContainer: (request) =>
      then(engine.detachContainer(request), ({ detached }) => new Set(detached.map(({ sandboxId }) => sandboxId))),
    createSandbox: (request) => then(engine.createSandbox(request), ({ sandbox }) => new Set([sandbox.id]), 'for-all'),
    adoptProcess: (sandboxId, pid) => then(engine.adoptProcess(sandboxId, pid), () => new Set([sandboxId])),
    removeSandbox: (reference) =>
      then(engine.removeSandbox(reference), () => (FULL_ID.test(reference) ? new Set([reference]) : undefined)),
    repair: (request) => (rehearsed(request) ? engine.repair(request) : then(engine.repair(request), () => undefined)),
    gc: (request) => (rehearsed(request) ? engine.gc(request) : then(engine.gc(request), () => undefined)),
  };
}
