/** The nameservers of the host as its resolv.conf names them now. */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { parseResolvConf } from '../../model/resolv-conf.ts';
import type { Server } from './upstream-health.ts';

const PORT = 53;
/**
 * Milliseconds between looks at the file. A look is one stat(2), which also follows a symbolic link to wherever a network
 * manager writes; watching the folder would miss that.
 */
const LOOK_EVERY_MS = 100;

/** Never throws: a file that cannot be read names no nameservers. */
export function followHostNameservers(file: string, now: () => number): () => readonly Server[] {
  let lookedMs = -Infinity;
  let seen: string | undefined;
  let servers: readonly Server[] = [];
  return () => {
    if (now() - lookedMs < LOOK_EVERY_MS && now() >= lookedMs) return servers;
    lookedMs = now();
    const { version, text } = readIfNew(file, seen);
    if (version !== seen) {
      seen = version;
      servers = parseResolvConf(text)
        .nameservers.filter((address) => isIP(address) !== 0)
        .map((address) => ({ address, port: PORT }));
    }
    return servers;
  };
}

function readIfNew(file: string, seen: string | undefined): { readonly version: string; readonly text: string } {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    const version = [dev, ino, size, mtimeNs, ctimeNs].join(' ');
    return { version, text: version === seen ? '' : readFileSync(file, 'utf8') };
  } catch {
    return { version: 'none', text: '' };
  }
}
