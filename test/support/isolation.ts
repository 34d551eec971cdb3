/**
 * Guards the machine: kernel tests run only inside a network and a mount namespace of their own, which `make kernel-test`
 * and `make test` make. Without privileges, or started by hand outside, they fail; they do not skip.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

/** The namespaces of this process and of those that started it, nearest first; unreadable ones are left out. */
function lineage(kind: 'net' | 'mnt'): string[] {
  const seen: string[] = [];
  for (let pid = String(process.pid); pid !== '0' && pid !== '';) {
    try {
      seen.push(readlinkSync(`/proc/${pid}/ns/${kind}`));
    } catch {
      // Not ours to look at.
    }
    pid = /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
  }
  return seen;
}

export default function setup(): void {
  if (process.getuid?.() !== 0) throw new Error('kernel tests need root: run `sudo make test`');
  for (const kind of ['net', 'mnt'] as const) {
    if (new Set(lineage(kind)).size < 2) {
      throw new Error(`kernel tests need a ${kind} namespace of their own: use \`make kernel-test\``);
    }
  }
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
  execFileSync('mkdir', ['-p', '/run/netns', '/run/lock']);
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
}
