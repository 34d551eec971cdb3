/**
 * Podman's own name server, aardvark-dns, told by files and SIGHUP: for containers whose names no daemon of ours serves.
 *
 *     <config>/aardvark-dns/<network>         who is on it (aardvark-file.ts); `%int` behind the name: nobody is asked outside
 *     <config>/aardvark-dns/aardvark.pid      its process, which ends by itself when no network is left
 *     <config>/aardvark.lock                  flock of whoever changes these
 */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { TsnetError } from '../../model/error.ts';
import { withEntry, withoutContainer, withUpstreams, type NameEntry, type NameHeader } from './aardvark-file.ts';

const START_MS = 10_000;
const PAUSE_MS = 5;
const FILE_MODE = 0o644;

/** A network as aardvark-dns knows it. */
export interface NamedNetwork {
  readonly name: string;
  readonly internal: boolean;
}

/** Where it is, and where its files are. */
export interface AardvarkPlace {
  /** `--config` of the call. */
  readonly folder: string;
  /** Its program. */
  readonly program: string;
  readonly port: number;
}

export interface AardvarkOptions extends AardvarkPlace {
  /** Does the work while the file is locked with flock(2). */
  readonly locked: <T>(file: string, work: () => Promise<T>) => Promise<T>;
}

export interface Aardvark {
  /** `start`: whether it is needed, or only told where it runs. */
  add(entries: readonly Addition[], how: { readonly start: boolean }): Promise<void>;
  remove(containerId: string, networks: readonly NamedNetwork[]): Promise<void>;
  setUpstreams(network: string, upstreams: readonly string[]): Promise<void>;
}

export interface Addition {
  readonly network: NamedNetwork;
  readonly header: NameHeader;
  readonly entry: NameEntry;
}

export function openAardvark({ folder, program, port, locked }: AardvarkOptions): Aardvark {
  const files = path.join(folder, 'aardvark-dns');
  const pidFile = path.join(files, 'aardvark.pid');
  const lockFile = path.join(folder, 'aardvark.lock');

  const fileOf = ({ name, internal }: NamedNetwork): string => path.join(files, internal ? `${name}%int` : name);

  const tell = async (how: { readonly start: boolean }): Promise<void> => {
    const pid = runningPid(pidFile);
    if (pid !== undefined) process.kill(pid, 'SIGHUP');
    else if (how.start) await start({ program, files, pidFile, port });
  };

  return {
    add: (additions, how) =>
      locked(lockFile, async () => {
        mkdirSync(files, { recursive: true });
        for (const { network, header, entry } of additions) {
          const file = fileOf(network);
          replace(file, withEntry(contentOf(file), header, entry));
        }
        await tell(how);
      }),
    remove: (containerId, networks) =>
      locked(lockFile, async () => {
        for (const { name } of networks) {
          // A podman that was upgraded meanwhile may have written the other name.
          for (const internal of [false, true]) {
            const file = fileOf({ name, internal });
            const before = contentOf(file);
            if (before === undefined) continue;
            const after = withoutContainer(before, containerId);
            if (after === undefined) rmSync(file, { force: true });
            else replace(file, after);
          }
        }
        await tell({ start: false });
      }),
    setUpstreams: (name, upstreams) =>
      locked(lockFile, async () => {
        for (const internal of [false, true]) {
          const file = fileOf({ name, internal });
          const before = contentOf(file);
          if (before !== undefined) replace(file, withUpstreams(before, upstreams));
        }
        await tell({ start: false });
      }),
  };
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Never half a file: aardvark-dns reads when it likes. It takes every name in its folder for a network, so the draft is beside that. */
function replace(file: string, text: string): void {
  const draft = path.join(path.dirname(path.dirname(file)), `.aardvark-${process.pid}`);
  writeFileSync(draft, text, { mode: FILE_MODE });
  renameSync(draft, file);
}

/** The pid may be another program's by now. */
function runningPid(pidFile: string): number | undefined {
  const pid = Number(contentOf(pidFile)?.trim() ?? '');
  if (!Number.isInteger(pid) || pid <= 1) return undefined;
  const name = contentOf(`/proc/${pid}/comm`)?.trim();
  return name?.startsWith('aardvark') === true ? pid : undefined;
}

interface Start {
  readonly program: string;
  readonly files: string;
  readonly pidFile: string;
  readonly port: number;
}

/** Starts it apart from this process, and returns when it has written its pid. */
async function start({ program, files, pidFile, port }: Start): Promise<void> {
  const args = ['--config', files, '-p', String(port), 'run'];
  const scope = systemdRun();
  // In a scope of its own it outlives the service that podman was started from.
  const command =
    scope === undefined ? { file: program, args } : { file: scope, args: ['-q', '--scope', program, ...args] };
  rmSync(pidFile, { force: true });
  const { spawn } = await import('node:child_process');
  const outcome: { failed?: string } = {};
  const child = spawn(command.file, command.args, { detached: true, stdio: 'ignore', cwd: '/' });
  child.on('error', (error) => (outcome.failed = error.message));
  // Newer ones go into the background and end with status 0.
  child.on('exit', (status, signal) => {
    if (status !== 0) outcome.failed = `it ended with ${signal ?? `status ${String(status)}`}`;
  });
  child.unref();
  const end = performance.now() + START_MS;
  while (runningPid(pidFile) === undefined) {
    if (outcome.failed !== undefined || performance.now() > end) {
      throw new TsnetError('RUNTIME', `failed to start ${program}: ${outcome.failed ?? 'it wrote no pid file'}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function systemdRun(): string | undefined {
  if (!existsSync('/run/systemd/system')) return undefined;
  return (process.env['PATH'] ?? '')
    .split(':')
    .map((folder) => path.join(folder, 'systemd-run'))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
