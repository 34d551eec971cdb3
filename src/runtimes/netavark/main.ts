/** `dist/netavark`: hands the process to the program and its status back. The one place of it with globals. */
import { existsSync, readFileSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { loadConfig } from '../../config/load.ts';
import { uplink } from '../../kernel/uplink.ts';
import { findEngine } from '../../wiring/open-engine.ts';
import { VERSION } from '../../wiring/version.ts';
import { runNetavark } from './run-netavark.ts';

const [, script = '', ...argv] = process.argv;

// Podman ends when its caller does; what was begun to be taken down is taken down all the same.
if (argv.includes('teardown'))
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);

void runNetavark(argv, {
  env: process.env,
  programName: path.basename(script),
  tsnetVersion: VERSION,
  read: (file) => (file === undefined ? Promise.resolve(readFileSync(0, 'utf8')) : readFile(file, 'utf8')),
  write: (text) => {
    writeAll(1, text);
  },
  writeError: (text) => {
    writeAll(2, text);
  },
  exists: existsSync,
  openEngine: async () => findEngine(loadConfig({ env: process.env }), { insist: false }),
  uplink: () => uplink(4) ?? uplink(6),
  locked: async (file, work) => {
    const { holding } = await import('../../kernel/file-lock.ts');
    return holding(file, 'exclusive', work);
  },
}).then((status) => {
  // Everything is closed; what the event loop still has are timers of LMDB's.
  process.exit(status);
});

/** Whoever does not read any more is told nothing. */
function writeAll(descriptor: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') continue;
      return;
    }
  }
}
