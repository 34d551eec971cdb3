/** Programs as a script runs them: without a shell, fed a text, and an error unless they succeed. */
import { spawn } from 'node:child_process';

/** Runs a program with `input` on its standard input; resolves to what it printed. */
export function outputWith(
  input: string,
  [file, ...args]: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve(stdout);
      else reject(new Error(`${file} ${args.join(' ')}: status ${String(status)}: ${stderr}${stdout}`));
    });
    // A program that refuses its first line does not read the others.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** Runs a program for its effect. */
export async function runWith(input: string, ...command: readonly [string, ...string[]]): Promise<void> {
  await outputWith(input, command);
}
