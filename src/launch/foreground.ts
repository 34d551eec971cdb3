/** A command in a sandbox that we wait for: our terminal, our signals, its exit status. */
import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { errorCode } from '../kernel/kernel-refusal.ts';
import { launchError } from './launch-error.ts';
import { keepFilesFromChildren } from './open-files.ts';
import { inSandbox, type SandboxPlace } from './sandbox-view.ts';
import { hasTerminal, relaySignals } from './signal-relay.ts';

export interface ForegroundCommand {
  readonly pid: number;
  /** Exit status of the command; 128 + the signal's number when a signal ended it. */
  readonly ended: Promise<number>;
}

/**
 * Starts the command; when this returns it has been executed (libuv waits for execve). Signals go to it from here on.
 * @throws LaunchError when there is no such command or it cannot be run
 */
export async function startForeground(place: SandboxPlace, command: readonly string[]): Promise<ForegroundCommand> {
  const [file = '', ...args] = command;
  keepFilesFromChildren();
  // Nobody is there to relay to yet; a signal of these first milliseconds is kept for the command.
  const early: NodeJS.Signals[] = [];
  let child: ChildProcess | undefined;
  const relay = relaySignals((signal) => {
    if (child === undefined) early.push(signal);
    else child.kill(signal);
  });
  try {
    const started = inSandbox(place, () => spawn(file, args, { stdio: 'inherit', detached: !hasTerminal() }));
    const { pid } = started;
    if (pid === undefined) {
      const error = await new Promise<Error>((resolve) => started.once('error', resolve));
      throw launchError(file, errorCode(error), error);
    }
    child = started;
    for (const signal of early) child.kill(signal);
    // The relay stays: a second ^C must not cut short what the caller has to clean up after the command.
    return { pid, ended: endOf(started) };
  } catch (error) {
    relay.stop();
    throw error;
  }
}

function endOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('exit', (status, signal) => {
      resolve(signal === null ? (status ?? 0) : 128 + constants.signals[signal]);
    });
  });
}
