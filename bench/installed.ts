/** What is there to be measured against. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Skipped } from './group.ts';

/** Throws Skipped unless the program is in PATH, or the file there. `name` is what a person calls it. */
export function requireInstalled(name: string, ...programs: readonly string[]): void {
  for (const program of programs) {
    if (program.startsWith('/') ? existsSync(program) : inPath(program)) continue;
    throw new Skipped(`${name} is not installed (make bench-deps)`);
  }
}

function inPath(program: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$1"', 'sh', program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
