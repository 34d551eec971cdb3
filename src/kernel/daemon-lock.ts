/** One daemon an exec-root: a lock that lives as long as its process, with the process id in its file. */
import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { TsnetError } from '../model/error.ts';
import { refused } from './kernel-refusal.ts';
import { libc } from './libc.ts';

/** Takes the lock; calling the answer lets go of it. @throws TsnetError CONFLICT */
export function lockDaemon(file: string): () => void {
  const fd = openLock(file);
  if (!libc().tryLock(fd, 'exclusive')) {
    closeSync(fd);
    const pid = readFileSync(file, 'utf8').trim();
    throw new TsnetError(
      'CONFLICT',
      `start the daemon: another one (pid ${pid}) serves ${path.dirname(file)}; stop it, or give this one an exec-root of its own`,
    );
  }
  ftruncateSync(fd);
  writeSync(fd, `${process.pid}\n`, 0);
  return () => {
    closeSync(fd);
  };
}

function openLock(file: string): number {
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    return openSync(file, constants.O_RDWR | constants.O_CREAT, 0o644);
  } catch (error) {
    throw refused(`start the daemon: open ${file}`, error);
  }
}
