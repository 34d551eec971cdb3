/** Writes to the process's own output. `process.stdout` loads Node's streams and sockets, which costs more than `tsnet ls` itself. */
import { writeSync } from 'node:fs';

/**
 * Writes all of `text` before it returns, or hands the rest to the stream where the other end is not ready to take it; then
 * false. A reader that went away (`tsnet ls | head -1`) is no error.
 */
export function writeOut(descriptor: 1 | 2, text: string): boolean {
  const bytes = Buffer.from(text);
  let written = 0;
  try {
    while (written < bytes.length) written += writeSync(descriptor, bytes, written);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EPIPE') return true;
    if (code !== 'EAGAIN') throw error;
    // Somebody set the terminal or pipe to non-blocking; the stream waits for it.
    const stream = descriptor === 1 ? process.stdout : process.stderr;
    stream.once('error', () => undefined);
    stream.write(bytes.subarray(written));
    return false;
  }
  return true;
}
