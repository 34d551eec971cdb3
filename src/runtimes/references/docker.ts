/**
 * `docker:NAME` — asks the Docker Engine on this host for the process of a container (Engine API, GET /containers/{id}/json).
 */
import { TsnetError } from '../../model/error.ts';
import type { FoundContainer } from './found-container.ts';
import { foundContainer, parseInspected } from './inspected-container.ts';
import type { Lookups } from './lookups.ts';
import { getJson } from './unix-http.ts';

const DEFAULT_SOCKET = '/var/run/docker.sock';

/** The daemon's socket: DOCKER_HOST as `docker` reads it, as long as it means this host. */
export function dockerSocket(env: Lookups['env']): string {
  const host = env['DOCKER_HOST'];
  if (host === undefined || host === '') return DEFAULT_SOCKET;
  if (host.startsWith('unix://')) return host.slice('unix://'.length) || DEFAULT_SOCKET;
  throw new TsnetError(
    'UNSUPPORTED',
    `ask Docker at ${host}: only containers of this host can be connected; unset DOCKER_HOST or set it to unix://…`,
  );
}

export async function findDockerContainer(name: string, { env, timeoutMs }: Lookups): Promise<FoundContainer> {
  const socket = dockerSocket(env);
  const { status, body } = await getJson({
    socket,
    path: `/containers/${encodeURIComponent(name)}/json`,
    timeoutMs,
  }).catch((error: unknown) => {
    if (error instanceof TsnetError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new TsnetError(
      'RUNTIME',
      `ask Docker for container ${name}: no Docker Engine answers at ${socket} (${code ?? String(error)}); is it running, and is DOCKER_HOST right?`,
      { cause: error },
    );
  });
  if (status === 404) throw new TsnetError('NOT_FOUND', `find docker container ${name}: Docker has no such container`);
  const container = status === 200 ? parseInspected(body) : undefined;
  if (container === undefined) {
    throw new TsnetError(
      'RUNTIME',
      `ask Docker for container ${name}: unexpected answer (HTTP ${status}) from ${socket}`,
    );
  }
  return foundContainer('docker', container);
}
