/** The `tsnet` command: hands the process to the program and its status back. The one place of the command line with globals. */
import { openEngine } from './open-engine.ts';
import { runCli } from './program.ts';

/** A reader that went away (`tsnet ls | head -1`) is no error of ours. */
function endQuietly(error: NodeJS.ErrnoException): void {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
}

async function ask(question: string): Promise<string | undefined> {
  const { createInterface } = await import('node:readline');
  process.stderr.write(question);
  const lines = createInterface({ input: process.stdin });
  try {
    for await (const line of lines) return line;
    return undefined;
  } finally {
    lines.close();
    process.stdin.unref();
  }
}

process.stdout.on('error', endQuietly);
void runCli(process.argv.slice(2), {
  env: process.env,
  write: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
  ask,
  openEngine,
}).then((status) => {
  process.exitCode = status;
});
