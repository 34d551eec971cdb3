/** What this host keeps of a cluster from one daemon to the next, until it is booted. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { randomId, shortId } from '../../model/ids.ts';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** A folder below exec-root that a boot leaves behind, where exec-root is not on tmpfs. */
export function clusterFolder(execRoot: string): string {
  const parent = path.join(execRoot, 'cluster');
  const name = readFileSync(BOOT_ID, 'utf8').trim();
  mkdirSync(path.join(parent, name), { recursive: true, mode: 0o700 });
  for (const other of readdirSync(parent)) {
    if (other !== name) rmSync(path.join(parent, other), { recursive: true, force: true });
  }
  return path.join(parent, name);
}

/** What tells this host, since it was booted, from every other one that has its id. */
export function ownEpoch(folder: string): string {
  const file = path.join(folder, 'epoch');
  try {
    return readFileSync(file, 'utf8');
  } catch {
    const epoch = shortId(randomId());
    writeFileSync(file, epoch, { mode: 0o600 });
    return epoch;
  }
}
