/** Hosts of our own: namespaces that a process is started in, and what an empty host has. */
import { execFileSync } from 'node:child_process';

/** Arguments of unshare(1). */
export const ISOLATED = ['--net', '--mount', '--propagation', 'private'] as const;

/** This program, to be started again in another role. */
export function thisProgram(): string {
  const [, program] = process.argv;
  if (program === undefined) throw new Error('started without a file name');
  return program;
}

/** To be called first in new namespaces: a /run of their own, and `lo`. */
export function prepareHost(): void {
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
  execFileSync('mkdir', ['-p', '/run/netns', '/run/lock']);
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
}
