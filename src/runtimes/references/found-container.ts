/**
 * What a reference leads to. Its shape is what the engine is handed (`ContainerReference` of `src/engine/context.ts`).
 */
import { statSync } from 'node:fs';
import { TsnetError } from '../../model/error.ts';
import type { SandboxOrigin } from '../../model/records.ts';

export interface FoundContainer {
  readonly origin: SandboxOrigin;
  /** Name that the sandbox gets. */
  readonly name: string;
  readonly netnsPath: string;
  /** The container's first process, where there is one. */
  readonly pid?: number;
}

/** Whether two paths lead to one namespace; undefined when `path` leads nowhere. Throws PERMISSION when we may not look. */
function isSameNamespace(path: string, other: string): boolean | undefined {
  try {
    const one = statSync(path, { bigint: true });
    const two = statSync(other, { bigint: true });
    return one.dev === two.dev && one.ino === two.ino;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'ENOTDIR') return undefined;
    throw new TsnetError('PERMISSION', `look at ${path}: ${code ?? String(error)}; run as root`, { cause: error });
  }
}

/**
 * Checks that the namespace is there and is not the host's own: joining the host to a container network would move the
 * host's default route. `what` names the container in messages.
 */
export function withOwnNamespace(found: FoundContainer, what: string): FoundContainer {
  const same = isSameNamespace(found.netnsPath, '/proc/self/ns/net');
  if (same === undefined) {
    throw new TsnetError('NOT_FOUND', `find ${what}: there is no network namespace at ${found.netnsPath}`);
  }
  if (same) {
    throw new TsnetError(
      'FORBIDDEN',
      `find ${what}: it shares the network of the host and cannot be connected; start it with a network of its own`,
    );
  }
  return found;
}
