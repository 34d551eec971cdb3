/**
 * Runs a program to its end, without a shell. It starts from this thread: it is in the network namespace that this thread is in.
 */
import { closeSync, fstatSync, readSync, statSync, writeSync } from 'node:fs';
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
  return candidates.find(isProgram);
}

const EXECUTABLE = 0o111;

/** Not access(2): Node.js has no such call that does without an exception, and most candidates are not there. */
function isProgram(candidate: string): boolean {
  const found = statSync(candidate, { throwIfNoEntry: false });
  return found?.isFile() === true && (found.mode & EXECUTABLE) !== 0;
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

/** Milliseconds between two looks at whether the program has ended: at first, and at most. */
const FIRST_LOOK_MS = 1;
const LAST_LOOK_MS = 8;
/** Status of wait(2): the signal, and the exit status above it. */
const SIGNAL_BITS = 0x7f;

export const runProgram: RunProgram = async (call) => {
  const libc = spawnLibc();
  // Files in memory: no end of a pipe waits for another, and nobody is woken to read what is needed when the program has ended.
  const files = [libc.memoryFile(), libc.memoryFile(), libc.memoryFile()] as const;
  try {
    const pid = start(call, files);
    const ended = await endOf(pid, call.timeoutMs);
    const signal = ended & SIGNAL_BITS;
    const [stdout, stderr] = [contentOf(files[1]), contentOf(files[2])];
    return signal === 0
      ? { status: ended >> 8, stdout, stderr }
      : { status: 128, stdout, stderr: `${stderr}killed by ${signalName(signal)}` };
  } finally {
    for (const file of files) closeSync(file);
  }
};

/** Looked at again and again rather than waited for: a wait takes a thread, and starting those costs more than most programs. */
async function endOf(pid: number, timeoutMs: number): Promise<number> {
  const timer = setTimeout(() => process.kill(pid, 'SIGKILL'), timeoutMs);
  for (let pause = FIRST_LOOK_MS; ; pause = Math.min(pause * 1.25, LAST_LOOK_MS)) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    const ended = spawnLibc().reap(pid);
    if (ended !== undefined) {
      clearTimeout(timer);
      return ended;
    }
  }
}

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

function contentOf(fd: number): string {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  readSync(fd, bytes, 0, bytes.length, 0);
  return bytes.toString('utf8');
}

function signalName(signal: number): string {
  const [name] = Object.entries(system.signals).find(([, number]) => number === signal) ?? [`signal ${String(signal)}`];
  return name;
}
