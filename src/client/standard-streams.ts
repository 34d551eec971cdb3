/**
 * Standard input and output as a plugin wants them: read to the end before anything is done, written before the process ends.
 * `process.stdin` and `process.stdout` load Node's streams and sockets, which cost more than the call.
 */
import { readSync, writeSync } from 'node:fs';

const BYTES_AT_ONCE = 1 << 16;
/** Nobody sends a configuration for longer. */
const LONGEST_MS = 60_000;

/** All of standard input; what was not sent in time, or cannot be read, is not there. */
export function readInput(): string {
  const parts: Buffer[] = [];
  const until = Date.now() + LONGEST_MS;
  for (;;) {
    const part = Buffer.allocUnsafe(BYTES_AT_ONCE);
    try {
      const count = readSync(0, part, 0, part.length, null);
      if (count === 0) break;
      parts.push(part.subarray(0, count));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || Date.now() > until) break;
      pause();
    }
  }
  return Buffer.concat(parts).toString('utf8');
}

/** A reader that went away hears no more; that is its business. */
export function writeAll(descriptor: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      pause();
    }
  }
}

/** For a descriptor that somebody set to non-blocking. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}
