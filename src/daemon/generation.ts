/** An engine made of one reading of daemon.json. A reload makes the next one; the old one ends when its last call has. */
import type { ClusterPart } from './cluster/open-cluster.ts';
import type { EngineContext } from '../engine/context.ts';
import { dockerPluginEngine, type DockerPluginEngine } from '../engine/docker-plugin/engine.ts';
import type { Engine } from '../engine/engine.ts';
import { makeEngine } from '../engine/make-engine.ts';
import type { Config } from '../model/config.ts';
import type { Ledger } from '../model/ledger.ts';
import { openContext } from '../wiring/open-context.ts';
import { keepingFiles } from '../wiring/sandbox-files.ts';

export interface Generation {
  readonly config: Config;
  readonly context: EngineContext;
  readonly engine: Engine;
  readonly docker: DockerPluginEngine;
  /** Waits for the calls under way. */
  readonly close: () => Promise<void>;
}

export interface GenerationOptions {
  /** What else the engine's calls go through. */
  readonly around: (engine: Engine) => Engine;
  /** The cluster that this host is in, once it is: it outlives a generation. */
  readonly cluster: () => ClusterPart | undefined;
}

export function openGeneration(config: Config, ledger: Ledger, { around, cluster }: GenerationOptions): Generation {
  const context: EngineContext = Object.defineProperties(
    { ...openContext(config, ledger) },
    {
      cluster: { enumerable: true, get: cluster },
      remotePeers: { enumerable: true, get: () => cluster()?.remotePeers },
      clusterVteps: { enumerable: true, get: () => cluster()?.vteps },
    },
  );
  const engine = makeEngine({ ledger, config, openContext: () => Promise.resolve(context) });
  const { counted, idle } = countCalls(around(keepingFiles(engine, config.execRoot)));
  const docker = countCalls(dockerPluginEngine(context));
  return {
    config,
    context,
    engine: counted,
    docker: docker.counted,
    close: async () => {
      await Promise.all([idle(), docker.idle()]);
      await context.kernel.close();
    },
  };
}

function countCalls<E extends object>(engine: E): { readonly counted: E; readonly idle: () => Promise<void> } {
  const underWay = new Set<Promise<unknown>>();
  const counted = Object.entries(engine).map(([name, method]) => [
    name,
    (...args: unknown[]) => {
      const call = (method as (...given: unknown[]) => Promise<unknown>)(...args);
      underWay.add(call);
      const end = (): void => void underWay.delete(call);
      call.then(end, end);
      return call;
    },
  ]);
  return {
    counted: Object.fromEntries(counted) as E,
    idle: async () => {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}

/** The context of whichever generation is current, for parts that live longer than one. */
export function contextOf(current: () => Generation): EngineContext {
  const members = Object.keys(current().context).map((name) => [
    name,
    { enumerable: true, get: () => current().context[name as keyof EngineContext] },
  ]);
  return Object.defineProperties({}, Object.fromEntries(members) as PropertyDescriptorMap) as EngineContext;
}
