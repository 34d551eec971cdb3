/**
 * flock(2): locks that span processes and that the kernel releases when their holder dies.
 */
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { TsnetError } from '../model/error.ts';
import type { ChangeLock } from '../plan/kernel.ts';
import { errorCode, refused } from './kernel-refusal.ts';
import { libc } from './libc.ts';

const WAIT_MS = 60_000;
const LONGEST_PAUSE_MS = 8;

export type LockMode = 'shared' | 'exclusive';

function openLockFile(file: string): number {
  const open = (): number => openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    return open();
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    mkdirSync(path.dirname(file), { recursive: true });
    return open();
  }
}

/** Opens and locks `file`, which is made where it is missing. Closing the descriptor lets go. @throws TsnetError TIMEOUT */
async function lock(file: string, mode: LockMode): Promise<number> {
  const fd = openLockFile(file);
  try {
    const end = performance.now() + WAIT_MS;
    // Never a call that waits: it would stop the timers of the whole process.
    while (!libc().tryLock(fd, mode)) {
      if (performance.now() > end) {
        throw new TsnetError(
          'TIMEOUT',
          `wait for ${file}: another tsnet has held it for ${WAIT_MS / 1000} s; see who with \`fuser ${file}\``,
        );
      }
      // A random pause, so that processes which came together do not come back together.
      await pause(1 + Math.random() * LONGEST_PAUSE_MS);
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    throw refused(`lock ${file}`, error);
  }
}

/** Does `work` while `file` is locked. `work` gets the descriptor: a child that inherits it keeps the lock until it ends. */
export async function holding<T>(file: string, mode: LockMode, work: (fd: number) => Promise<T>): Promise<T> {
  const fd = await lock(file, mode);
  try {
    return await work(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * The lock that keeps changes and repairs apart. A repair holds the gate while it waits, so that changes which keep coming
 * do not starve it.
 */
export function changeLock(execRoot: string): ChangeLock {
  const gate = path.join(execRoot, 'gate.lock');
  const changes = path.join(execRoot, 'changes.lock');
  return {
    shared: async (work) => {
      const fd = await holding(gate, 'shared', () => lock(changes, 'shared'));
      try {
        return await work();
      } finally {
        closeSync(fd);
      }
    },
    exclusive: (work) => holding(gate, 'exclusive', () => holding(changes, 'exclusive', work)),
  };
}
