/**
 * The Docker plugin: the protocol's methods at a socket, and beside them what Docker tells nobody: when the namespace of a container
 * that joined is there, what it is called, and what Docker has forgotten.
 */
import { createServer } from 'node:http';
import path from 'node:path';
import type { DockerPluginEngine } from '../../engine/docker-plugin/engine.ts';
import { TsnetError } from '../../model/error.ts';
import { ipamMethods } from './ipam-methods.ts';
import { lookAtDocker } from './look-at-docker.ts';
import { networkMethods } from './network-methods.ts';
import { buildPluginServer } from './plugin-server.ts';
import { listenAt } from './plugin-socket.ts';

/** Where Docker looks for plugins first; the file's name is the driver's. */
export const PLUGIN_SOCKET = '/run/docker/plugins/tsnet.sock';

export interface PluginLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}

export interface DockerPluginRequest {
  readonly engine: DockerPluginEngine;
  readonly socket: string;
  /** Of Docker's API. */
  readonly dockerSocket: string;
  readonly log: PluginLog;
  readonly now: () => number;
}

export interface DockerPlugin {
  /** Takes no more requests, lets those under way finish. What stands, stands. */
  close(): Promise<void>;
}

const LOOK_MS = 60_000;
const DOCKER_ANSWER_MS = 5_000;
/** When a namespace is looked for after a join; a container whose start takes longer is found with the next look at Docker. */
const NAMESPACE_MS = [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800] as const;
const GRACE_MS = 10_000;

/** @throws TsnetError CONFLICT where somebody serves the socket already */
export async function serveDockerPlugin(request: DockerPluginRequest): Promise<DockerPlugin> {
  const { engine, socket, log } = request;
  const watch = watchDocker(request);
  const app = await buildPluginServer({
    methods: {
      'Plugin.Activate': () => ({ Implements: ['NetworkDriver', 'IpamDriver'] }),
      ...networkMethods({
        engine,
        warn: (text) => {
          log.warn({}, text);
        },
        onMade: () => {
          watch.onMade();
        },
      }),
      ...ipamMethods(engine),
    },
    onError: (method, error) => {
      log.warn({ method, ...(error instanceof TsnetError ? { code: error.code } : { error }) }, messageOf(error));
    },
  });
  const server = createServer((incoming, outgoing) => {
    app.routing(incoming, outgoing);
  });
  await listenAt(server, socket);
  watch.look();
  return {
    close: async () => {
      await new Promise<void>((resolve) => {
        const cut = setTimeout(() => {
          server.closeAllConnections();
        }, GRACE_MS);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        server.closeIdleConnections();
      });
      await app.close();
      await watch.close();
    },
  };
}

interface Watch {
  onMade(): void;
  look(): void;
  close(): Promise<void>;
}

function watchDocker({ engine, socket, dockerSocket, log, now }: DockerPluginRequest): Watch {
  const plugin = path.basename(socket, '.sock');
  let awaiting: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let complaint: string | undefined;

  const lookOnce = async (): Promise<void> => {
    try {
      if (!(await engine.hasDockers())) return;
      const sight = await lookAtDocker({ socket: dockerSocket, plugin, timeoutMs: DOCKER_ANSWER_MS, now });
      for (const { kind, name, reason } of await engine.heed(sight)) log.info({ kind, name }, `collected: ${reason}`);
      complaint = undefined;
    } catch (error) {
      // Once for each reason: Docker may be stopped for days.
      const why = messageOf(error);
      if (why !== complaint) log.warn({ docker: dockerSocket, reason: why }, 'cannot compare with Docker');
      complaint = why;
    }
  };
  const look = (): void => {
    looking ??= lookOnce().finally(() => (looking = undefined));
  };
  const awaitNamespaces = (attempt: number): void => {
    clearTimeout(awaiting);
    const waitMs = NAMESPACE_MS[attempt];
    if (waitMs === undefined) return;
    awaiting = setTimeout(() => {
      engine.learnNamespaces().then(
        (isMissing) => {
          if (isMissing) awaitNamespaces(attempt + 1);
          else look();
        },
        (error: unknown) => {
          log.warn({ reason: messageOf(error) }, 'cannot look for namespaces of containers');
        },
      );
    }, waitMs).unref();
  };
  const timer = setInterval(look, LOOK_MS).unref();
  return {
    onMade: () => {
      awaitNamespaces(0);
    },
    look,
    close: async () => {
      clearTimeout(awaiting);
      clearInterval(timer);
      await looking;
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
