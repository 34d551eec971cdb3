/**
 * Runs a program to its end, without a shell. It starts from this thread: it is in the network namespace that this thread is in.
 */
import { accessSync, closeSync, constants, fstatSync, read, readSync, writeSync } from 'node:fs';
import { constants as system } from 'node:os';
import path from 'node:path';
import { spawnLibc } from './spawn-libc.ts';

/** Where firewall programs live when the caller (a container runtime, a systemd unit) left it out of PATH. */
const SBIN = '/usr/sbin:/sbin:/usr/local/sbin';

function searchPath(): string {
  return `${process.env['PATH'] ?? ''}:${SBIN}`;
}

/** Path of the program; undefined where there is none of this name. */
function findProgram(name: string): string | undefined {
  const candidates = name.includes('/')
    ? [name]
    : searchPath()
        .split(':')
        .map((folder) => path.join(folder, name));
  return candidates.find((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Whether a program of this name would be found. */
export function hasProgram(name: string): boolean {
  return findProgram(name) !== undefined;
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

/** Milliseconds between two looks at a program that has closed its output and not yet ended. */
const REAP_MS = 1;
const READ_BYTES = 1 << 16;
/** Status of wait(2): the signal, and the exit status above it. */
const SIGNAL_BITS = 0x7f;

export const runProgram: RunProgram = async (call) => {
  const libc = spawnLibc();
  // Files rather than pipes where nobody waits: a program that does not read its input cannot block us.
  const [input, errors] = [libc.memoryFile(), libc.memoryFile()];
  try {
    const [output, written] = libc.pipe();
    let pid: number;
    try {
      pid = start(call, [input, written, errors]);
    } catch (error) {
      closeSync(output);
      throw error;
    } finally {
      closeSync(written);
    }
    const timer = setTimeout(() => process.kill(pid, 'SIGKILL'), call.timeoutMs);
    const stdout = await readToEnd(output);
    let ended = libc.reap(pid);
    while (ended === undefined) {
      await new Promise((resolve) => setTimeout(resolve, REAP_MS));
      ended = libc.reap(pid);
    }
    clearTimeout(timer);
    const signal = ended & SIGNAL_BITS;
    const stderr = contentOf(errors);
    return signal === 0
      ? { status: ended >> 8, stdout, stderr }
      : { status: 128, stdout, stderr: `${stderr}killed by ${signalName(signal)}` };
  } finally {
    closeSync(input);
    closeSync(errors);
  }
};

function start(
  { file, args, input, inherit }: ProgramCall,
  [stdin, stdout, stderr]: readonly [number, number, number],
): number {
  // At a place of its own: the program reads from where the file's position is, which stays at the start.
  const bytes = Buffer.from(input);
  for (let at = 0; at < bytes.length;) at += writeSync(stdin, bytes, at, bytes.length - at, at);
  const files = [stdin, stdout, stderr, ...(inherit === undefined ? [] : [inherit])];
  const env = Object.entries({ ...process.env, PATH: searchPath() }).map(([name, value]) => `${name}=${value}`);
  return spawnLibc().spawn(findProgram(file) ?? file, args, env, files);
}

/** Without a stream of Node's: loading those takes as long as the program. */
async function readToEnd(fd: number): Promise<string> {
  const parts: Buffer[] = [];
  const more = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const part = Buffer.allocUnsafe(READ_BYTES);
      read(fd, part, 0, part.length, null, (error, count) => {
        if (error !== null) {
          reject(error);
          return;
        }
        if (count > 0) parts.push(part.subarray(0, count));
        resolve(count);
      });
    });
  try {
    while ((await more()) > 0);
  } finally {
    closeSync(fd);
  }
  return Buffer.concat(parts).toString('utf8');
}

function contentOf(fd: number): string {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  readSync(fd, bytes, 0, bytes.length, 0);
  return bytes.toString('utf8');
}

function signalName(signal: number): string {
  const [name] = Object.entries(system.signals).find(([, number]) => number === signal) ?? [`signal ${String(signal)}`];
  return name;
}
