/**
 * The two shells that stay with a detached command: some hundred kilobytes each, and no Node.js.
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
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { refused } from '../kernel/kernel-refusal.ts';
import { inSandbox, type SandboxPlace } from './sandbox-view.ts';

export const SHELL = '/bin/sh';

/**
 * $@: what to become. Standard input is the pipe; descriptor 3 another one, from the tsnet that launches: it says which
 * supervisor it stops, and when it closes the pipe, be it that it is done or dead, the supervisor goes on.
 */
const UNDERTAKER = [
  'if read -r supervisor <&3; then read -r _ <&3; kill -CONT "$supervisor"; fi',
  'exec 3<&-',
  'while read -r _; do :; done',
  'exec "$@" </dev/null',
].join('\n');

/**
 * $@: the command. Descriptor 3 is the pipe to the undertaker, 4 a socket to the tsnet that launches: the fork tells its pid
 * and waits for a line before it executes the command; at the end of file it ends instead.
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

/** Starts the undertaker, which becomes `reap`; it must be there before the supervisor is. */
export function startUndertaker(
  reap: readonly string[],
  fds: { readonly life: number; readonly launch: number },
): ChildProcess {
  return startShell([UNDERTAKER, 'tsnet-undertaker', ...reap], [fds.life, 'ignore', 'ignore', fds.launch], {
    cwd: '/',
  });
}

/** Starts the supervisor in the sandbox; `stdio[4]` of the answer is the socket to the fork. */
export function startSupervisor(
  place: SandboxPlace,
  command: readonly string[],
  { log, life }: { readonly log: string; readonly life: number },
): ChildProcess {
  let logFd: number;
  try {
    logFd = openSync(log, 'a', 0o640);
  } catch (error) {
    throw refused(`write ${log}`, error);
  }
  try {
    return inSandbox(place, () =>
      startShell([SUPERVISOR, 'tsnet-supervisor', ...command], ['ignore', logFd, logFd, life, 'pipe'], {}),
    );
  } finally {
    closeSync(logFd);
  }
}

function startShell(
  args: readonly string[],
  stdio: readonly (number | 'ignore' | 'pipe')[],
  options: { readonly cwd?: string },
): ChildProcess {
  const child = spawn(SHELL, ['-c', ...args], { stdio: [...stdio], detached: true, ...options });
  // Without a listener a failed start would end this process; the handshake reports it.
  child.on('error', () => undefined);
  return child;
}
