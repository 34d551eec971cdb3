/**
 * A command in a sandbox that goes on without us (`supervision.ts` says who stays with it).
 *
 * The launch is a handshake, so that a crash of ours at any point leaves nothing running that the ledger does not know:
 *
 * 1. the undertaker starts; from here on our own death removes the sandbox;
 * 2. the supervisor forks; the fork tells its pid and waits at a gate (a socket to us: if we die, it ends without running
 *    anything);
 * 3. the caller adopts the pid into the ledger;
 * 4. the supervisor is stopped, so that a command that fails at once stays a zombie that can be looked at; the undertaker is
 *    told before, and lets it go on when we are done or dead;
 * 5. the gate opens; /proc says when the fork has executed the command, or how it failed.
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { errorCode } from '../kernel/kernel-refusal.ts';
import { TsnetError } from '../model/error.ts';
import { launchError, LaunchError, NOT_EXECUTABLE_STATUS, NOT_FOUND_STATUS } from './launch-error.ts';
import { launchLibc } from './libc.ts';
import { keepFilesFromChildren } from './open-files.ts';
import { processFacts } from './process-table.ts';
import type { SandboxPlace } from './sandbox-view.ts';
import { SHELL, startSupervisor, startUndertaker } from './supervision.ts';

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
  const [life, launch] = [launchLibc().pipe(), launchLibc().pipe()];
  let undertaker: ChildProcess | undefined;
  let supervisor: ChildProcess | undefined;
  try {
    undertaker = startUndertaker(reap, { life: life.readFd, launch: launch.readFd });
    supervisor = startSupervisor(place, command, { log, life: life.writeFd });
    const gate = supervisor.stdio[4] as Duplex;
    const pid = await readPid(gate);
    await adopt(pid);
    await stopSupervisor(required(supervisor), launch.writeFd);
    gate.write('\n');
    await execution(file, pid);
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
    for (const fd of [life.readFd, life.writeFd, launch.readFd, launch.writeFd]) closeSync(fd);
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

/** Returns when it has stopped: it cannot reap the fork any more. */
async function stopSupervisor(pid: number, launchFd: number): Promise<void> {
  writeSync(launchFd, `${pid}\n`);
  try {
    process.kill(pid, 'SIGSTOP');
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
  await poll(SHELL, () => {
    const state = processFacts(pid)?.state;
    return state === undefined || state === 'T' || state === 'Z' ? true : undefined;
  });
}

/** Returns when the fork has executed the command; throws how that failed. */
async function execution(file: string, pid: number): Promise<void> {
  const end = await poll(file, () => {
    const facts = processFacts(pid);
    if (facts === undefined || facts.state === 'X') return 'gone';
    if (facts.hasExecuted) return 'executed';
    return facts.state === 'Z' ? facts.waitStatus : undefined;
  });
  if (end === 'executed') return;
  const status = end === 'gone' ? 0 : end >> 8;
  throw launchError(file, SHELL_SAYS[status] ?? `status ${status}`);
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
