/** The `tsnet` command: hands the process to the program and its status back. The one place of the command line with globals. */
import { openEngine } from '../wiring/open-engine.ts';
import { runCli } from './program.ts';
import { writeOut } from './write-out.ts';

/** The line that a person types on standard input. */
async function ask(question: string): Promise<string | undefined> {
  const { createInterface } = await import('node:readline');
  write(2, question);
  const lines = createInterface({ input: process.stdin });
  try {
    for await (const line of lines) return line;
    return undefined;
  } finally {
    lines.close();
  }
}

/** A stream has output that the other end was not ready to take. */
let isWriting = false;

/** Called when nobody reads standard output any more. */
let whenUnread: (() => void) | undefined;

function write(descriptor: 1 | 2, text: string): void {
  const outcome = writeOut(descriptor, text);
  if (outcome === 'writing') isWriting = true;
  else if (outcome === 'nobody reads' && descriptor === 1) whenUnread?.();
}

void runCli(process.argv.slice(2), {
  env: process.env,
  write: (text) => {
    write(1, text);
  },
  writeError: (text) => {
    write(2, text);
  },
  onUnread: (stop) => {
    whenUnread = stop;
  },
  ask,
  openEngine,
}).then((status) => {
  process.exitCode = status;
  // Everything is closed; what the event loop still has are timers of LMDB's.
  if (!isWriting) process.exit();
});
