/** One ear on the kernel for all parts of the daemon that want to know of changes. */
import type { ChangeHandlers, WatchChanges } from '../plan/watch.ts';

export interface KernelChanges {
  /** Told of everything from now on; the function ends it. */
  subscribe(handlers: Partial<ChangeHandlers>): () => void;
  close(): void;
}

/** Throws TsnetError where the kernel cannot be listened to. */
export async function openKernelChanges(watch: WatchChanges): Promise<KernelChanges> {
  const subscribers = new Set<Partial<ChangeHandlers>>();
  const open = await watch({
    onHost: (change) => {
      for (const one of subscribers) one.onHost?.(change);
    },
    onNamespace: (nsid) => {
      for (const one of subscribers) one.onNamespace?.(nsid);
    },
    onNamespaceGone: (nsid) => {
      for (const one of subscribers) one.onNamespaceGone?.(nsid);
    },
    onFirewall: (by) => {
      for (const one of subscribers) one.onFirewall?.(by);
    },
    onLost: () => {
      for (const one of subscribers) one.onLost?.();
    },
  });
  return {
    subscribe: (handlers) => {
      subscribers.add(handlers);
      return () => subscribers.delete(handlers);
    },
    close: () => {
      subscribers.clear();
      open.close();
    },
  };
}
