/** Tests with programs of others are skipped where these are not installed, and say so. */
import { execFileSync } from 'node:child_process';

/** Those of the programs that are not installed, by name or by path. */
export function missingPrograms(names: readonly string[]): string[] {
  return names.filter((name) => {
    try {
      execFileSync('sh', ['-c', 'command -v "$1"', 'sh', name], { stdio: 'ignore' });
      return false;
    } catch {
      return true;
    }
  });
}

/** For the title of what is skipped; "" where nothing is missing. */
export function skipReason(missing: readonly string[]): string {
  return missing.length === 0 ? '' : ` (skipped: ${missing.join(', ')} not installed; \`make test\` installs them)`;
}
