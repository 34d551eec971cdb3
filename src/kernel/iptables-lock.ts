/**
 * One change of the iptables rules at a time, over all processes: flock(2) on a file in exec-root.
 *
 * The kernel lets go of it when the last descriptor of the opened file is closed. The programs that make a change inherit
 * it: if we are killed while iptables-restore still commits, the next change waits for that commit too.
 */
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { TsnetError } from '../model/error.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;
const EAGAIN = 11;
const WAIT_MS = 60_000;
const LONGEST_PAUSE_MS = 8;

let flock: ((fd: number) => number) | undefined;

/** 0, or the errno. Never waits: a call that waited would stop the timers of the whole process. */
function tryLock(fd: number): number {
  if (flock === undefined) {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const call = koffi.load(null).func('int flock(int fd, int operation)') as unknown as (
      fd: number,
      how: number,
    ) => number;
    flock = (file) => (call(file, LOCK_EX | LOCK_NB) === 0 ? 0 : koffi.errno());
  }
  return flock(fd);
}

/** Does `work` while this process alone holds `file`, which is made where it is missing. `work` gets its open descriptor. */
export async function holding<T>(file: string, work: (fd: number) => Promise<T>): Promise<T> {
  mkdirSync(path.dirname(file), { recursive: true });
  const fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const end = performance.now() + WAIT_MS;
    for (let errno = tryLock(fd); errno !== 0; errno = tryLock(fd)) {
      if (errno !== EAGAIN) throw new TsnetError('KERNEL', `lock ${file}: errno ${errno}`);
      if (performance.now() > end) {
        throw new TsnetError(
          'TIMEOUT',
          `change the firewall: another tsnet has held ${file} for ${WAIT_MS / 1000} s; see who with \`fuser ${file}\``,
        );
      }
      // A random pause, so that processes which came together do not come back together.
      await pause(1 + Math.random() * LONGEST_PAUSE_MS);
    }
    return await work(fd);
  } finally {
    closeSync(fd);
  }
}
