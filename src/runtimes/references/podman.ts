/**
 * `podman:NAME` — asks Podman's API service if its socket answers, else the `podman` command: most hosts run no service.
 * Both describe a container as Docker does.
 */
import { TsnetError } from '../../model/error.ts';
import type { FoundContainer } from './found-container.ts';
import { foundContainer, parseInspected, type InspectedContainer } from './inspected-container.ts';
import type { Lookups } from './lookups.ts';
import { getJson } from './unix-http.ts';

const DEFAULT_SOCKET = '/run/podman/podman.sock';

/** Nobody listens: ask the command instead. Anything else that goes wrong is worth telling. */
const NOBODY = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTDIR']);

export async function findPodmanContainer(name: string, lookups: Lookups): Promise<FoundContainer> {
  const container = (await askService(name, lookups)) ?? (await askCommand(name, lookups));
  return foundContainer('podman', container);
}

function unknown(name: string): TsnetError {
  return new TsnetError('NOT_FOUND', `find podman container ${name}: Podman has no such container`);
}

function unexpected(name: string, from: string): TsnetError {
  return new TsnetError('RUNTIME', `ask Podman for container ${name}: unexpected answer from ${from}`);
}

async function askService(name: string, { env, timeoutMs }: Lookups): Promise<InspectedContainer | undefined> {
  const host = env['CONTAINER_HOST'] ?? '';
  const socket = host.startsWith('unix://') ? host.slice('unix://'.length) : DEFAULT_SOCKET;
  const path = `/v4.0.0/libpod/containers/${encodeURIComponent(name)}/json`;
  const response = await getJson({ socket, path, timeoutMs }).catch((error: unknown) => {
    if (NOBODY.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    if (error instanceof TsnetError) throw error;
    throw new TsnetError('RUNTIME', `ask Podman at ${socket}: ${String(error)}`, { cause: error });
  });
  if (response === undefined) return undefined;
  if (response.status === 404) throw unknown(name);
  const container = response.status === 200 ? parseInspected(response.body) : undefined;
  if (container === undefined) throw unexpected(name, `${socket} (HTTP ${response.status})`);
  return container;
}

interface CommandOutcome {
  /** Exit status, or the code of the error that kept it from starting or finishing. */
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** The whole environment goes along: CONTAINERS_STORAGE_CONF and its like say where Podman keeps its containers. */
async function podman(args: readonly string[], { env, timeoutMs }: Lookups): Promise<CommandOutcome> {
  const { execFile } = await import('node:child_process');
  return new Promise((resolve) => {
    const options = { env: { ...env }, timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 16 << 20 } as const;
    execFile('podman', [...args], options, (error, stdout, stderr) => {
      const status = error === null ? 0 : error.killed === true ? 'TIMEOUT' : (error.code ?? 'signal');
      resolve({ status, stdout, stderr });
    }).stdin?.end();
  });
}

async function askCommand(name: string, lookups: Lookups): Promise<InspectedContainer> {
  const { status, stdout, stderr } = await podman(['container', 'inspect', '--format', 'json', '--', name], lookups);
  if (status === 'ENOENT') {
    throw new TsnetError(
      'RUNTIME',
      `ask Podman for container ${name}: no service answers at ${DEFAULT_SOCKET} and there is no \`podman\` command`,
    );
  }
  if (status === 'TIMEOUT') {
    throw new TsnetError('TIMEOUT', `ask Podman for container ${name}: no answer within ${lookups.timeoutMs / 1000} s`);
  }
  if (status !== 0) {
    // `podman container exists`: 1 says no, anything above says that it could not tell.
    if ((await podman(['container', 'exists', '--', name], lookups)).status === 1) throw unknown(name);
    const why = stderr.trim().split('\n').at(-1) ?? '';
    throw new TsnetError('RUNTIME', `ask Podman for container ${name}: \`podman container inspect\` failed: ${why}`);
  }
  const described = parseList(stdout);
  const container = described.length === 1 ? parseInspected(described[0]) : undefined;
  if (container === undefined) throw unexpected(name, '`podman container inspect`');
  return container;
}

function parseList(text: string): readonly unknown[] {
  try {
    const value = JSON.parse(text) as unknown;
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
