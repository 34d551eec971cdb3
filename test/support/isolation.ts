/**
 * Guards the machine: kernel tests run only inside a network and a mount namespace of their own, which `make kernel-test`
 * and `make test` make. Without privileges, or started by hand outside, they fail; they do not skip.
 */
import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';

export default function setup(): void {
  if (process.getuid?.() !== 0) throw new Error('kernel tests need root: run `sudo make test`');
  for (const kind of ['net', 'mnt']) {
    if (readlinkSync(`/proc/self/ns/${kind}`) === readlinkSync(`/proc/1/ns/${kind}`)) {
      throw new Error(`kernel tests must not run in the machine's own ${kind} namespace: use \`make kernel-test\``);
    }
  }
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
  execFileSync('mkdir', ['-p', '/run/netns', '/run/lock']);
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
}
