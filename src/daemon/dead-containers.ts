/**
 * Dead containers are noticed soon: when the first process ends, when the file of a namespace goes, when the host's end of a
 * veth goes with the namespace that had the other. Each is a reason to look, none is a proof: that is `sandboxDeath`'s.
 */
import { watch, type FSWatcher } from 'node:fs';
import path from 'node:path';
import type { EngineContext } from '../engine/context.ts';
import type { Garbage } from '../engine/engine.ts';
import { collectDead } from '../engine/gc.ts';
import { reason } from '../engine/undo.ts';
import type { Sandbox } from '../model/records.ts';
import { TAG_PREFIX } from '../plan/resource.ts';
import type { WatchProcesses } from '../plan/watch.ts';
import type { Follower } from './follower.ts';
import type { KernelChanges } from './kernel-changes.ts';
import type { Log } from './log.ts';

export interface DeadContainersOptions {
  readonly context: EngineContext;
  readonly log: Log;
  readonly changes: KernelChanges;
  readonly watchProcesses: WatchProcesses;
  /**
   * Closes what the daemon has open inside these sandboxes, which seem to be dead: a socket of ours would keep the namespace
   * alive, and its veth would say that it lives.
   */
  readonly letGo?: (sandboxIds: ReadonlySet<string>) => Promise<void>;
  readonly onCollected?: (garbage: Garbage) => void;
}

/** A sandbox of our own has somebody who waits for its process and cleans up: first come, first served. */
const UNDERTAKER_MS = 1_000;
/** The kernel takes a namespace down some time after the last that held it. */
const LOOK_AGAIN_MS = [0, 100, 250, 500, 1_000, 2_000, 5_000] as const;

export function openDeadContainers(options: DeadContainersOptions): Follower {
  const { context, log, changes, onCollected, letGo } = options;
  const folders = new Map<string, FSWatcher>();
  /** Sandbox → how often it was looked at since there was a reason to. */
  const suspects = new Map<string, number>();
  const timers = new Set<NodeJS.Timeout>();
  const underWay = new Set<Promise<void>>();
  /** The running ones, as they were read last. */
  const watched = new Map<string, Sandbox>();
  let closed = false;

  const later = (waitMs: number, work: () => Promise<void>): void => {
    if (closed) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      const done = work().finally(() => underWay.delete(done));
      underWay.add(done);
    }, waitMs).unref();
    timers.add(timer);
  };

  const suspect = (id: string, waitMs = 0): void => {
    const isKnown = suspects.has(id);
    suspects.set(id, 0);
    if (!isKnown) later(waitMs, () => look(id));
  };

  const look = async (id: string): Promise<void> => {
    const times = suspects.get(id) ?? 0;
    try {
      const sandbox = context.ledger.read((view) => view.sandbox(id));
      if (sandbox === undefined || closed) {
        suspects.delete(id);
        return;
      }
      if (seemsDead(context, sandbox)) await letGo?.(new Set([id]));
      const { removed, failed } = await collectDead(context, new Set([id]));
      for (const { name, reason: why } of failed)
        log.warn({ container: name, reason: why }, 'cannot let go of a dead container');
      for (const garbage of removed) {
        log.info({ container: garbage.name, reason: garbage.reason }, 'let go of a dead container');
        onCollected?.(garbage);
      }
    } catch (error) {
      log.warn({ sandbox: id, reason: reason(error) }, 'cannot let go of a container that seems to be dead');
    }
    const waitMs = LOOK_AGAIN_MS[times + 1];
    if (waitMs === undefined || context.ledger.read((view) => view.sandbox(id)) === undefined) {
      suspects.delete(id);
      return;
    }
    suspects.set(id, times + 1);
    later(waitMs, () => look(id));
  };

  const processes = options.watchProcesses((ended) => {
    for (const { id, process, origin } of watched.values()) {
      if (process?.pid !== ended.pid || process.startTime !== ended.startTime) continue;
      suspect(id, origin.kind === 'own' ? UNDERTAKER_MS : 0);
    }
  });
  const unsubscribe = changes.subscribe({
    onHost: ({ gone, tag }) => {
      if (gone !== true || tag === undefined) return;
      const endpoint = context.ledger.read((view) => view.endpoint(tag.slice(TAG_PREFIX.length)));
      if (endpoint?.state === 'attached') suspect(endpoint.sandboxId);
    },
  });

  const watchFolder = (folder: string): void => {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, file) => {
        for (const { id, netns } of watched.values()) {
          if (file === null || netns.path === path.join(folder, file)) suspect(id);
        }
      });
      watcher.on('error', () => {
        watcher.close();
        folders.delete(folder);
      });
      folders.set(folder, watcher);
    } catch {
      // It is not there, or there are no inotify watches left: links and processes tell of most deaths all the same.
    }
  };

  const read = (only?: ReadonlySet<string>): Sandbox[] => {
    const found = context.ledger.read((view) =>
      only === undefined ? view.sandboxes() : [...only].flatMap((id) => view.sandbox(id) ?? []),
    );
    const running = found.filter(({ state }) => state === 'running');
    for (const id of only ?? [...watched.keys()]) watched.delete(id);
    for (const sandbox of running) watched.set(sandbox.id, sandbox);
    return running;
  };

  return {
    sync: (only) => {
      try {
        const sandboxes = read(only);
        processes.watch([...watched.values()].flatMap(({ process }) => process ?? []));
        const wanted = new Set([...watched.values()].flatMap(folderOf));
        for (const [folder, watcher] of folders) {
          if (wanted.has(folder)) continue;
          watcher.close();
          folders.delete(folder);
        }
        for (const folder of wanted) if (!folders.has(folder)) watchFolder(folder);
        // The file may have gone before its folder was watched.
        for (const sandbox of sandboxes) {
          if (folderOf(sandbox).length > 0 && seemsDead(context, sandbox)) suspect(sandbox.id);
        }
      } catch (error) {
        log.error({ reason: reason(error) }, 'cannot read which containers to watch');
      }
      return Promise.resolve();
    },
    close: async () => {
      closed = true;
      unsubscribe();
      processes.close();
      for (const watcher of folders.values()) watcher.close();
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(underWay);
    },
  };
}

/** Where the namespace of a sandbox is bound to a file; /proc tells of nothing. */
function folderOf({ netns, origin }: Sandbox): string[] {
  return origin.kind === 'own' || netns.path.startsWith('/proc/') ? [] : [path.dirname(netns.path)];
}

function seemsDead({ kernel }: EngineContext, { netns, process, origin }: Sandbox): boolean {
  if (origin.kind === 'own') return process !== undefined && !kernel.isAlive(process);
  const now = kernel.netnsAt(netns.path);
  return now?.inode !== netns.inode || now.device !== netns.device;
}
