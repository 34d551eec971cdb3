/**
 * Brings the kernel to what a table of peers wants, one change after the other. What the kernel refuses is tried again; what was to be
 * removed and could not be is owed.
 */
import type { EngineContext } from '../../engine/context.ts';
import type { PeerChange } from '../../cluster/peers.ts';
import type { Plan } from '../../plan/resource.ts';
import type { Log } from '../log.ts';

export interface Programmer {
  /** Resolves when the kernel has all that was wanted at the call, or has refused it. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface ProgrammerOptions {
  readonly context: EngineContext;
  readonly log: Log;
  /** For the log. */
  readonly name: string;
  /** Whether there is anything to put entries on. */
  readonly isUp: () => boolean;
  readonly take: () => PeerChange;
  readonly failed: () => void;
  /** To be removed with the first flush. */
  readonly owed: Plan;
}

const RETRY_MS = 5000;
const NO_SANDBOXES = new Map<string, never>();

export function openProgrammer({ context, log, name, isUp, take, failed, ...begin }: ProgrammerOptions): Programmer {
  let { owed } = begin;
  let retry: NodeJS.Timeout | undefined;
  let isClosed = false;
  let wasRefused = false;

  const run = async (): Promise<void> => {
    clearTimeout(retry);
    if (isClosed || !isUp()) return;
    const { remove, add } = take();
    const gone = [...owed, ...remove];
    if (gone.length === 0 && add.length === 0) return;
    owed = gone;
    try {
      await context.lock.shared(async () => {
        // What is gone goes first: the same address may be elsewhere by now.
        if (gone.length > 0) await context.kernel.remove(gone, NO_SANDBOXES);
        owed = [];
        if (add.length > 0) await context.kernel.ensure(add, NO_SANDBOXES);
      });
      if (wasRefused) log.info({ network: name }, 'the way to containers on other hosts stands again');
      wasRefused = false;
    } catch (error) {
      failed();
      if (!wasRefused) log.error({ network: name, error }, 'cannot make the way to containers on other hosts');
      wasRefused = true;
      retry = setTimeout(() => void flush(), RETRY_MS).unref();
    }
  };

  let last: Promise<void> = Promise.resolve();
  /** At most one waits behind the one at work: it does for all that came meanwhile. */
  let next: Promise<void> | undefined;
  const flush = (): Promise<void> =>
    (next ??= last.then(() => {
      next = undefined;
      return (last = run());
    }));
  return {
    flush,
    close: async () => {
      isClosed = true;
      clearTimeout(retry);
      await next;
      await last;
    },
  };
}
