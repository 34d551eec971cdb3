/** Builds and starts `lease-worker.ts`: Node 20 does not run TypeScript. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import type { LedgerPlaces } from '../../../src/store/ledger.ts';

export interface Ended {
  readonly signal: NodeJS.Signals | null;
  readonly status: number | null;
  readonly lines: string[];
  readonly stderr: string;
}

export interface Worker {
  readonly child: ChildProcess;
  /** Lines printed so far. */
  readonly lines: string[];
  readonly ended: Promise<Ended>;
}

/** Where the bundle is put: inside the project, so that it finds lmdb. */
function bundlePath(): string {
  return path.resolve(import.meta.dirname, `../../../node_modules/.cache/tsnet-test/lease-worker-${process.pid}.mjs`);
}

export async function buildWorker(): Promise<void> {
  mkdirSync(path.dirname(bundlePath()), { recursive: true });
  await build({
    entryPoints: [path.join(import.meta.dirname, 'lease-worker.ts')],
    outfile: bundlePath(),
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
}

export function removeWorker(): void {
  rmSync(bundlePath(), { force: true });
}

export function startWorker(
  { dataRoot, execRoot }: LedgerPlaces,
  network: string,
  count: number,
  how: 'finish' | 'die' | 'loop',
): Worker {
  const child = spawn(process.execPath, [bundlePath(), dataRoot, execRoot, network, String(count), how], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  let rest = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (status, signal) => {
      resolve({ status, signal, lines, stderr });
    });
  });
  return { child, lines, ended };
}
