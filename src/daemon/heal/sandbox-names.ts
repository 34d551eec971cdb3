/** Which sandbox an event comes from: the ids that the host's namespace has for those of the sandboxes. */
import type { Sandbox } from '../../model/records.ts';
import type { NamespaceId } from '../../plan/watch.ts';

export interface SandboxNames {
  sandboxOf(nsid: number): string | undefined;
  /** Asks for the ids of those that are not known yet. An id stays with its namespace for as long as that lives. */
  learn(sandboxes: readonly Sandbox[]): Promise<void>;
  forget(nsid: number): void;
}

export function sandboxNames(namespaceId: NamespaceId): SandboxNames {
  const byNsid = new Map<number, string>();
  /** Sandbox → the identity of its namespace when it was asked for. */
  const known = new Map<string, { readonly netns: string; readonly nsid: number }>();
  return {
    sandboxOf: (nsid) => byNsid.get(nsid),
    learn: async (sandboxes) => {
      for (const { id, netns, shares } of sandboxes) {
        const identity = `${netns.device} ${netns.inode} ${netns.cookie ?? ''}`;
        if (shares !== undefined || known.get(id)?.netns === identity) continue;
        const nsid = await namespaceId(netns).catch(() => undefined);
        if (nsid === undefined) continue;
        byNsid.set(nsid, id);
        known.set(id, { netns: identity, nsid });
      }
    },
    forget: (nsid) => {
      const id = byNsid.get(nsid);
      byNsid.delete(nsid);
      if (id !== undefined && known.get(id)?.nsid === nsid) known.delete(id);
    },
  };
}
