/**
 * A group in a process of its own: network, mount and pid namespaces of its own, so that it starts with an empty host and leaves
 * nothing behind, not even a daemon, however it ends.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Skipped, type Group, type Row, type SkippedRow } from './group.ts';
import { ISOLATED, prepareHost, thisProgram } from './isolated.ts';
import type { Result } from './table.ts';

/** Far beyond what a group should take: whoever hangs is ended, and the others go on. */
const MOST_SECONDS = 300;
/** A namespace that ends after those of the group before; once its links are gone, so are theirs. */
const SETTLE = `
  mount -t tmpfs tmpfs /run && ip netns add last && ip link add here type veth peer name there netns last
  ip netns delete last
  while ip link show here >/dev/null 2>&1; do sleep 0.05; done`;

/** What the child writes for its parent. */
type Answer = { readonly rows: readonly (Row | SkippedRow)[] } | { readonly skipped: string };

/** Waits until the kernel has taken down the namespaces that ended before: thousands of them keep it busy for seconds. */
async function settle(): Promise<void> {
  await promisify(execFile)('unshare', [...ISOLATED, 'sh', '-c', SETTLE], { timeout: 60_000 });
}

/** Runs the group of this name in a child. */
export async function runInProcess(group: string): Promise<Result> {
  await settle();
  const dir = mkdtempSync(path.join(tmpdir(), 'tsnet-bench-'));
  const answer = path.join(dir, 'answer.json');
  const started = performance.now();
  const seconds = (): number => Math.round((performance.now() - started) / 100) / 10;
  // Certificates that Node.js would read at each start, which is not our time.
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const child = spawn(
    'unshare',
    [
      ...[...ISOLATED, '--pid', '--fork', '--kill-child', '--mount-proc'],
      ...[process.execPath, thisProgram(), '--group', group, '--answer', answer],
    ],
    { env, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const end = (): void => void child.kill('SIGKILL');
  const timer = setTimeout(end, MOST_SECONDS * 1000);
  process.once('exit', end);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    const status = await new Promise<number | string>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        resolve(code ?? signal ?? 'no status');
      });
    });
    if (status === 0) return { group, seconds: seconds(), ...(JSON.parse(readFileSync(answer, 'utf8')) as Answer) };
    return { group, seconds: seconds(), failed: `status ${status}${said === '' ? '' : `\n${said.trimEnd()}`}` };
  } finally {
    clearTimeout(timer);
    process.off('exit', end);
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The child's side. */
export async function answerFor(group: Group, answer: string): Promise<void> {
  prepareHost();
  let found: Answer;
  try {
    found = { rows: await group.measure(path.dirname(answer)) };
  } catch (error) {
    if (!(error instanceof Skipped)) throw error;
    found = { skipped: error.message };
  }
  writeFileSync(answer, JSON.stringify(found));
}
