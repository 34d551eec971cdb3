/** Writes to the process's own output. `process.stdout` loads Node's streams and sockets, which costs more than `tsnet ls` itself. */
import { writeSync } from 'node:fs';

/**
 * Writes all of `text` before it returns, or hands the rest to the stream where the other end is not ready to take it: it is being
 * written then. A reader that went away (`tsnet ls | head -1`) is no error.
 */
export function writeOut(descriptor: 1 | 2, text: string): 'written' | 'writing' | 'nobody reads' {
  const bytes = Buffer.from(text);
  let written = 0;
  try {
    while (written < bytes.length) written += writeSync(descriptor, bytes, written);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EPIPE') return 'nobody reads';
    if (code !== 'EAGAIN') throw error;
    // Somebody set the terminal or pipe to non-blocking; the stream waits for it.
    const stream = descriptor === 1 ? process.stdout : process.stderr;
    stream.once('error', () => undefined);
    stream.write(bytes.subarray(written));
    return 'writing';
  }
  return 'written';
}
