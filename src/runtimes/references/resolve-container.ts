/**
 * From the CONTAINER of `tsnet connect NETWORK CONTAINER` to a network namespace, for what the ledger does not know.
 */
import path from 'node:path';
import { sandboxNameFrom } from '../../model/names.ts';
import { withOwnNamespace, type FoundContainer } from './found-container.ts';
import type { Lookups } from './lookups.ts';
import { parseReference } from './reference.ts';

/**
 * Throws INVALID (malformed), NOT_FOUND (names nothing, or nothing that runs), AMBIGUOUS, FORBIDDEN (the host's own
 * network), RUNTIME (the runtime cannot be asked), UNSUPPORTED (a runtime on another host) or TIMEOUT.
 */
export async function resolveContainer(reference: string, lookups: Lookups): Promise<FoundContainer> {
  const parsed = parseReference(reference);
  switch (parsed.kind) {
    case 'path':
      return withOwnNamespace(
        {
          origin: { kind: 'netns', path: parsed.path },
          name: sandboxNameFrom(path.basename(parsed.path)),
          netnsPath: parsed.path,
        },
        `container ${reference}`,
      );
    case 'pid':
      return withOwnNamespace(
        {
          origin: { kind: 'pid', pid: parsed.pid },
          name: `pid-${parsed.pid}`,
          netnsPath: `/proc/${parsed.pid}/ns/net`,
          pid: parsed.pid,
        },
        `process ${parsed.pid}`,
      );
    // Each runtime is a module of its own: a reference to one does not load the others.
    case 'docker':
      return (await import('./docker.ts')).findDockerContainer(parsed.name, lookups);
    case 'podman':
      return (await import('./podman.ts')).findPodmanContainer(parsed.name, lookups);
    case 'containerd':
      return (await import('./containerd.ts')).findContainerdTask(parsed, lookups);
  }
}
