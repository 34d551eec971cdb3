/**
 * Docker's network and IPAM driver as a part of the daemon: served as soon as there is a Docker on this host, whichever of the two
 * was started first, and nobody else serves it (`tsnet docker-plugin`).
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { DockerPluginEngine } from '../engine/docker-plugin/engine.ts';
import { PLUGIN_SOCKET, serveDockerPlugin, type DockerPlugin } from '../runtimes/docker/serve-plugin.ts';
import { dockerSocket } from '../runtimes/references/docker.ts';
import type { Log } from './log.ts';

export interface DockerPluginPart {
  /** Of the moment: a reload makes another. */
  readonly engine: () => DockerPluginEngine;
  /** Told of each call that may have changed something. */
  readonly onChange: () => void;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
}

const LOOK_AGAIN_MS = 5_000;
/** Docker's own folder; the plugin's is below it. */
const DOCKER_FOLDER = path.dirname(path.dirname(PLUGIN_SOCKET));

/** Never throws: a daemon without Docker's side is a daemon all the same, and the log says why. */
export function openDockerPlugin({ engine, onChange, env, log }: DockerPluginPart): { close(): Promise<void> } {
  let serving: DockerPlugin | undefined;
  let starting: Promise<void> | undefined;
  let complaint: string | undefined;

  const start = async (): Promise<void> => {
    try {
      const docker = dockerSocket(env);
      serving = await serveDockerPlugin({
        engine: followed(engine, onChange),
        socket: PLUGIN_SOCKET,
        dockerSocket: docker,
        log,
        now: () => Date.now(),
      });
      log.info({ socket: PLUGIN_SOCKET, docker }, 'serving Docker');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== complaint) log.warn({ reason }, 'cannot serve Docker; it is tried again');
      complaint = reason;
    }
  };
  const look = (): void => {
    if (serving !== undefined || !existsSync(DOCKER_FOLDER)) return;
    starting ??= start().finally(() => (starting = undefined));
  };
  const timer = setInterval(look, LOOK_AGAIN_MS).unref();
  look();
  return {
    close: async () => {
      clearInterval(timer);
      await starting;
      await serving?.close();
    },
  };
}

/** The engine of the moment, the daemon's other parts told of what it does. */
function followed(engine: () => DockerPluginEngine, onChange: () => void): DockerPluginEngine {
  const methods = Object.keys(engine()).map((name) => [
    name,
    async (...args: unknown[]): Promise<unknown> => {
      try {
        const now = engine() as unknown as Readonly<Record<string, (...given: unknown[]) => Promise<unknown>>>;
        return await now[name]?.(...args);
      } finally {
        onChange();
      }
    },
  ]);
  return Object.fromEntries(methods) as DockerPluginEngine;
}
