/** The `tsnet` command: hands the process to the program and its status back. The one place of the command line with globals. */
import { openEngine } from './open-engine.ts';
import { runCli } from './program.ts';
import { writeOut } from './write-out.ts';

/** The line that a person types on standard input. */
async function ask(question: string): Promise<string | undefined> {
  const { createInterface } = await import('node:readline');
  writeOut(2, question);
  const lines = createInterface({ input: process.stdin });
  try {
    for await (const line of lines) return line;
    return undefined;
  } finally {
    lines.close();
  }
}

void runCli(process.argv.slice(2), {
  env: process.env,
  write: (text) => {
    writeOut(1, text);
  },
  writeError: (text) => {
    writeOut(2, text);
  },
  ask,
  openEngine,
}).then((status) => {
  process.exitCode = status;
});
