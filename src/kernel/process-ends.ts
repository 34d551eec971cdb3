/**
 * Ends of processes: a pidfd each, all in one epoll set that is asked a few times a second. The question costs some 2 µs
 * whatever their number; Node.js cannot wait for a descriptor of this kind.
 */
import { closeSync } from 'node:fs';
import type { ProcessIdentity } from '../model/records.ts';
import type { ProcessWatch } from '../plan/watch.ts';
import { isAlive } from './process-identity.ts';
import { raised } from './high-descriptor.ts';
import { watchLibc } from './watch-libc.ts';

const POLL_MS = 250;

interface Watched {
  readonly process: ProcessIdentity;
  readonly fd: number;
}

export function watchProcesses(onEnd: (process: ProcessIdentity) => void): ProcessWatch {
  const libc = watchLibc();
  const epoll = libc.openEpoll();
  const byKey = new Map<string, Watched>();
  const byFd = new Map<number, Watched>();
  /** Those that no descriptor could be had for: asked one by one. */
  const unwatchable = new Map<string, ProcessIdentity>();
  /** Told once each, for as long as they are asked for. */
  const ended = new Set<string>();

  const tell = (process: ProcessIdentity): void => {
    if (ended.has(keyOf(process))) return;
    ended.add(keyOf(process));
    onEnd(process);
  };
  const forget = (watched: Watched): void => {
    byKey.delete(keyOf(watched.process));
    byFd.delete(watched.fd);
    // Closing takes it out of the set as well.
    closeSync(watched.fd);
  };
  const add = (process: ProcessIdentity): void => {
    try {
      const watched = { process, fd: raised(libc.openProcess(process.pid)) };
      byKey.set(keyOf(process), watched);
      byFd.set(watched.fd, watched);
      libc.epollAdd(epoll, watched.fd);
    } catch {
      // ESRCH: it has ended, which isAlive says too. EMFILE, ENOSYS: no descriptor for it.
      unwatchable.set(keyOf(process), process);
    }
  };
  const timer = setInterval(() => {
    for (let ready = libc.readable(epoll); ready.length > 0; ready = libc.readable(epoll)) {
      for (const fd of ready) {
        const watched = byFd.get(fd);
        if (watched === undefined) continue;
        forget(watched);
        tell(watched.process);
      }
    }
    for (const [key, process] of unwatchable) {
      if (isAlive(process)) continue;
      unwatchable.delete(key);
      tell(process);
    }
  }, POLL_MS).unref();

  return {
    watch: (processes) => {
      const wanted = new Map(processes.map((process) => [keyOf(process), process]));
      for (const [key, watched] of byKey) if (!wanted.has(key)) forget(watched);
      for (const key of unwatchable.keys()) if (!wanted.has(key)) unwatchable.delete(key);
      for (const key of ended) if (!wanted.has(key)) ended.delete(key);
      for (const [key, process] of wanted) {
        if (byKey.has(key) || unwatchable.has(key) || ended.has(key)) continue;
        // A later process may have the pid by now; the descriptor would be of that one.
        add(process);
        if (!isAlive(process)) {
          const watched = byKey.get(key);
          if (watched !== undefined) forget(watched);
          unwatchable.delete(key);
          tell(process);
        }
      }
    },
    close: () => {
      clearInterval(timer);
      for (const watched of byKey.values()) closeSync(watched.fd);
      byKey.clear();
      byFd.clear();
      closeSync(epoll);
    },
  };
}

function keyOf({ pid, startTime }: ProcessIdentity): string {
  return `${pid} ${startTime}`;
}
