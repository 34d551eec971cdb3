/** Files that the launched command must not get: the ledger's, for one, which LMDB opens without O_CLOEXEC. */
import { readdirSync } from 'node:fs';
import { launchLibc } from './libc.ts';

const FIRST_AFTER_STANDARD_FILES = 3;

/** From here on nothing but what is named in `stdio` goes along to a child, be it ours or inherited. */
export function keepFilesFromChildren(): void {
  const libc = launchLibc();
  for (const entry of readdirSync('/proc/self/fd')) {
    const fd = Number(entry);
    if (fd < FIRST_AFTER_STANDARD_FILES) continue;
    try {
      libc.closeOnExec(fd);
    } catch {
      // The one that the listing itself was read by.
    }
  }
}
