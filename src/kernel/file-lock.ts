/**
 * flock(2): locks that span processes and that the kernel releases when their holder dies.
 */
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { TsnetError } from '../model/error.ts';
import type { ChangeLock } from '../plan/kernel.ts';

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const EAGAIN = 11;
const WAIT_MS = 60_000;
const LONGEST_PAUSE_MS = 8;

export type LockMode = 'shared' | 'exclusive';

let flock: ((fd: number, operation: number) => number) | undefined;

/** 0, or the errno. Never waits: a call that waited would stop the timers of the whole process. */
function tryLock(fd: number, mode: LockMode): number {
  if (flock === undefined) {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const call = koffi.load(null).func('int flock(int fd, int operation)') as unknown as (
      fd: number,
      operation: number,
    ) => number;
    flock = (file, operation) => (call(file, operation) === 0 ? 0 : koffi.errno());
  }
  return flock(fd, (mode === 'shared' ? LOCK_SH : LOCK_EX) | LOCK_NB);
}

/** Opens and locks `file`, which is made where it is missing. Closing the descriptor lets go. @throws TsnetError TIMEOUT */
async function lock(file: string, mode: LockMode): Promise<number> {
  mkdirSync(path.dirname(file), { recursive: true });
  const fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const end = performance.now() + WAIT_MS;
    for (let errno = tryLock(fd, mode); errno !== 0; errno = tryLock(fd, mode)) {
      if (errno !== EAGAIN) throw new TsnetError('KERNEL', `lock ${file}: errno ${errno}`);
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
    throw error;
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
