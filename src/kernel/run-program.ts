/**
 * Runs a program to its end, without a shell. It starts from this process: it is in the host's namespace.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** Where firewall programs live when the caller (a container runtime, a systemd unit) left it out of PATH. */
const SBIN = '/usr/sbin:/sbin:/usr/local/sbin';

function searchPath(): string {
  return `${process.env['PATH'] ?? ''}:${SBIN}`;
}

/** Whether a program of this name would be found. */
export function hasProgram(name: string): boolean {
  return searchPath()
    .split(':')
    .some((folder) => {
      try {
        accessSync(path.join(folder, name), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

export interface ProgramOutcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramCall {
  readonly file: string;
  readonly args: readonly string[];
  readonly input: string;
  readonly timeoutMs: number;
  /** A descriptor that the program keeps open for as long as it runs. */
  readonly inherit?: number;
}

/** Runs a program to its end. Rejects with the error of spawn(2) (`code: 'ENOENT'`) if it cannot be started. */
export type RunProgram = (call: ProgramCall) => Promise<ProgramOutcome>;

export const runProgram: RunProgram = ({ file, args, input, timeoutMs, inherit }) =>
  new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe', ...(inherit === undefined ? [] : [inherit])],
      env: { ...process.env, PATH: searchPath() },
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (status, signal) => {
      resolve({ status: status ?? 128, stdout, stderr: signal === null ? stderr : `${stderr}killed by ${signal}` });
    });
    // A program that refuses its first line does not read the others.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
