/**
 * A command in a sandbox that goes on without us: two shells of some hundred kilobytes stay, no Node.js.
 *
 *     undertaker   host's namespaces      reads a pipe; at its end becomes `tsnet __reap ID`
 *        ↑ pipe
 *     supervisor   sandbox's namespaces   holds the pipe's other end, waits for the command; session of its own
 *        └─ command
 *
 * The supervisor is the command's parent, so it knows its end for certain; it cannot clean up, for it lives in the
 * sandbox's namespaces. The undertaker was born outside and needs no way back. Nobody writes to the pipe: the kernel closes
 * it when the supervisor ends, however it ends, SIGKILL included. The command does not inherit it, so a daemon that closes
 * its files, or one that leaves children behind, deceives nobody.
 *
 * The launch is a handshake, so that a crash of ours at any point leaves nothing running that the ledger does not know:
 *
 * 1. the undertaker starts; from here on our own death removes the sandbox;
 * 2. the supervisor forks; the fork tells its pid and waits at a gate (a socket to us: if we die, it reads the end of file
 *    and ends without running anything);
 * 3. the caller adopts the pid into the ledger;
 * 4. the supervisor is stopped, so that a command that fails at once stays a zombie that can be looked at;
 * 5. the gate opens; /proc says when the fork has executed the command, or how it failed;
 * 6. the supervisor goes on, and we leave.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { errorCode, refused } from '../kernel/kernel-refusal.ts';
import { TsnetError } from '../model/error.ts';
import { launchError, LaunchError, NOT_EXECUTABLE_STATUS, NOT_FOUND_STATUS } from './launch-error.ts';
import { launchLibc } from './libc.ts';
import { keepFilesFromChildren } from './open-files.ts';
import { processFacts } from './process-table.ts';
import { inSandbox, type SandboxPlace } from './sandbox-view.ts';

const SHELL = '/bin/sh';

/** $@: what to become. Its standard input is the pipe. */
const UNDERTAKER = 'while read -r _; do :; done; exec "$@" </dev/null';

/**
 * $@: the command. Descriptor 3 is the pipe to the undertaker, 4 the socket to us.
 *
 * `stop` signals the whole process group: a trap that does nothing keeps the supervisor alive and, unlike an ignored
 * signal, is not inherited by the command. The command runs in the shell's foreground, since a shell makes background
 * commands ignore SIGINT and SIGQUIT. /proc/self/stat is read by the forked shell itself: its first word is the fork's pid.
 */
const SUPERVISOR = [
  'trap : HUP INT QUIT USR1 USR2 PIPE ALRM TERM',
  '(read -r pid _ </proc/self/stat; echo "$pid" >&4; read -r go <&4 && exec "$@" 3>&- 4>&-)',
  // Not the last command, or the shell would execute it in its own place.
  'exit $?',
].join('\n');

/** What a shell's `exec` that failed ended with → the errno behind it. */
const SHELL_SAYS: Readonly<Record<number, string>> = {
  [NOT_FOUND_STATUS]: 'ENOENT',
  [NOT_EXECUTABLE_STATUS]: 'EACCES',
};

const HANDSHAKE_MS = 10_000;

export interface DetachedRequest {
  readonly command: readonly string[];
  /** File that standard output and standard error go to. */
  readonly log: string;
  /** Program and arguments that remove the sandbox. */
  readonly reap: readonly string[];
  /** Told of the command's pid before it runs. */
  readonly adopt: (pid: number) => Promise<void>;
}

/** Starts the command and lets go of it. @throws LaunchError when there is no such command or it cannot be run */
export async function startDetached(place: SandboxPlace, request: DetachedRequest): Promise<void> {
  const { command, log, reap, adopt } = request;
  const [file = ''] = command;
  if (file === '') throw launchError(file, 'ENOENT');
  // `exec` of some shells takes it for an option.
  if (file.startsWith('-'))
    throw new LaunchError(file, NOT_FOUND_STATUS, 'the name of a command does not start with "-"');
  keepFilesFromChildren();
  const pipe = launchLibc().pipe();
  let undertaker: ChildProcess | undefined;
  let supervisor: ChildProcess | undefined;
  try {
    undertaker = spawnShell([UNDERTAKER, 'tsnet-undertaker', ...reap], [pipe.readFd, 'ignore', 'ignore'], '/');
    supervisor = startSupervisor(place, command, { log, lifeFd: pipe.writeFd });
    const gate = supervisor.stdio[4] as Duplex;
    const pid = await readPid(gate);
    await adopt(pid);
    await openGate(gate, { file, pid, supervisorPid: required(supervisor) });
    gate.destroy();
    supervisor.unref();
    undertaker.unref();
  } catch (error) {
    // The caller undoes the sandbox itself; the fork at the gate ends by itself when the gate is closed.
    undertaker?.kill('SIGKILL');
    supervisor?.kill('SIGKILL');
    supervisor?.stdio[4]?.destroy();
    throw error;
  } finally {
    closeSync(pipe.readFd);
    closeSync(pipe.writeFd);
  }
}

function spawnShell(
  args: readonly string[],
  stdio: readonly (number | 'ignore' | 'pipe')[],
  cwd?: string,
): ChildProcess {
  const child = spawn(SHELL, ['-c', ...args], {
    stdio: [...stdio],
    detached: true,
    ...(cwd === undefined ? {} : { cwd }),
  });
  // Without a listener a failed start would end this process; `required` reports it.
  child.on('error', () => undefined);
  return child;
}

function startSupervisor(
  place: SandboxPlace,
  command: readonly string[],
  { log, lifeFd }: { readonly log: string; readonly lifeFd: number },
): ChildProcess {
  let logFd: number;
  try {
    logFd = openSync(log, 'a', 0o640);
  } catch (error) {
    throw refused(`write ${log}`, error);
  }
  try {
    return inSandbox(place, () =>
      spawnShell([SUPERVISOR, 'tsnet-supervisor', ...command], ['ignore', logFd, logFd, lifeFd, 'pipe']),
    );
  } finally {
    closeSync(logFd);
  }
}

function required(child: ChildProcess): number {
  if (child.pid !== undefined) return child.pid;
  throw new TsnetError('RUNTIME', `start the supervisor of a detached command: ${SHELL} cannot be run`);
}

/** The fork's pid, one line. */
function readPid(gate: Duplex): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new TsnetError('RUNTIME', `start the supervisor of a detached command: ${why}`));
    };
    const timer = setTimeout(() => {
      fail(`no answer within ${HANDSHAKE_MS / 1000} s`);
    }, HANDSHAKE_MS);
    gate.on('error', (error) => {
      fail(error.message);
    });
    gate.once('close', () => {
      fail(`${SHELL} ended`);
    });
    gate.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (!text.includes('\n')) return;
      clearTimeout(timer);
      const pid = Number(text);
      if (Number.isInteger(pid) && pid > 1) resolve(pid);
      else fail(`${SHELL} answered ${JSON.stringify(text.slice(0, 80))}`);
    });
    gate.once('end', () => {
      fail(`${SHELL} ended`);
    });
  });
}

async function openGate(
  gate: Duplex,
  { file, pid, supervisorPid }: { readonly file: string; readonly pid: number; readonly supervisorPid: number },
): Promise<void> {
  signal(supervisorPid, 'SIGSTOP');
  try {
    await poll(file, () => processFacts(supervisorPid)?.state === 'T' || undefined);
    gate.write('\n');
    const end = await poll(file, () => {
      const facts = processFacts(pid);
      if (facts === undefined || facts.state === 'X') return 'gone';
      if (facts.hasExecuted) return 'executed';
      return facts.state === 'Z' ? facts.waitStatus : undefined;
    });
    if (end === 'executed') return;
    const status = end === 'gone' ? 0 : end >> 8;
    throw launchError(file, SHELL_SAYS[status] ?? `status ${status}`);
  } finally {
    signal(supervisorPid, 'SIGCONT');
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

async function poll<T>(file: string, look: () => T | undefined): Promise<T> {
  const end = performance.now() + HANDSHAKE_MS;
  for (;;) {
    const seen = look();
    if (seen !== undefined) return seen;
    if (performance.now() > end) {
      throw new TsnetError(
        'TIMEOUT',
        `run ${JSON.stringify(file)}: it has not started within ${HANDSHAKE_MS / 1000} s`,
      );
    }
    await pause(1);
  }
}
