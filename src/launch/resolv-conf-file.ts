/**
 * The resolv.conf of a sandbox of our own, kept up to date while the sandbox runs.
 *
 * It is written in place: the sandbox has this very file bound over its own. A file that somebody in the sandbox has edited (a
 * VPN client does) is theirs from then on; a copy beside it tells what we wrote last.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { errorCode, refused } from '../kernel/kernel-refusal.ts';

const FILE = 'resolv.conf';
const COPY = 'resolv.conf.written';
/** How every text of ours begins; a file without a copy was written by `run`, if it begins so. */
const OURS = '# Written by tsnet;';

/** Writes the first one, unless it is there: before the sandbox's process starts. Throws TsnetError. */
export function createResolvConf(folder: string, text: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    if (readIfThere(path.join(folder, FILE)) !== undefined) return;
    for (const name of [COPY, FILE]) writeFileSync(path.join(folder, name), text, { mode: 0o644 });
  } catch (error) {
    throw refused(`write ${path.join(folder, FILE)}`, error);
  }
}

/** Gives it this text, or says why not. Nothing happens for a sandbox without files. Throws TsnetError. */
export function updateResolvConf(folder: string, text: string): 'written' | 'same' | 'edited' | 'none' {
  const [file, copy] = [path.join(folder, FILE), path.join(folder, COPY)];
  try {
    const [now, written] = [readIfThere(file), readIfThere(copy)];
    if (now === undefined) return 'none';
    if (now === text) return 'same';
    if (written === undefined ? !now.startsWith(OURS) : now !== written) return 'edited';
    writeFileSync(copy, text, { mode: 0o644 });
    writeFileSync(file, text);
    return 'written';
  } catch (error) {
    throw refused(`update ${file}`, error);
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
