/**
 * Who lives in a sandbox: the processes with every thread in its network namespace. One thread is not enough: tsnet
 * processes step into sandboxes for a moment with their main thread, and must not be taken for inhabitants.
 */
import { readdirSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { errorCode, hasEnded } from '../kernel/kernel-refusal.ts';
import { TsnetError } from '../model/error.ts';
import type { Netns, Sandbox } from '../model/records.ts';
import { processFacts } from './process-table.ts';

const POLL_MS = 20;
const KILL_MS = 5_000;

type NetnsIdentity = Pick<Netns, 'device' | 'inode'>;

function isIn(netns: NetnsIdentity, path: string): boolean {
  try {
    const { dev, ino } = statSync(path);
    return dev === netns.device && ino === netns.inode;
  } catch (error) {
    if (hasEnded(error) || errorCode(error) === 'EACCES') return false;
    throw error;
  }
}

function livesIn(netns: NetnsIdentity, pid: number): boolean {
  if (!isIn(netns, `/proc/${pid}/ns/net`)) return false;
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) => isIn(netns, `/proc/${pid}/task/${thread}/ns/net`));
  } catch (error) {
    if (hasEnded(error)) return false;
    throw error;
  }
}

/** Ends before it looks when the namespace is the host's own: signalling its inhabitants would be signalling everybody. */
function inhabitants(netns: NetnsIdentity): number[] {
  if (isIn(netns, '/proc/self/ns/net') || isIn(netns, '/proc/1/ns/net')) {
    throw new TsnetError('INTERNAL', 'end the processes of a sandbox: its namespace is that of the host');
  }
  return readdirSync('/proc')
    .filter((entry) => /^[1-9][0-9]*$/.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid && livesIn(netns, pid));
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/** Sends a signal to the sandbox's first process and to those of its process group that live in the sandbox. */
export function signalSandbox(sandbox: Sandbox, signal: NodeJS.Signals): void {
  const { netns, process: first } = sandbox;
  if (first === undefined) return;
  const group = processFacts(first.pid)?.processGroup;
  // A command in a terminal shares its group with the tsnet that waits for it, and with a pipeline: those live outside.
  for (const pid of inhabitants(netns)) if (processFacts(pid)?.processGroup === group) send(pid, signal);
}

/** Kills whoever still lives in a sandbox of our own, as a container's processes go with its first one. */
export async function endInhabitants(netns: NetnsIdentity): Promise<void> {
  // A record without a namespace: the sandbox was never finished.
  if (netns.inode === 0) return;
  const end = performance.now() + KILL_MS;
  for (;;) {
    const left = inhabitants(netns).filter((pid) => !isGone(pid));
    if (left.length === 0) return;
    if (performance.now() > end) {
      throw new TsnetError('TIMEOUT', `end the processes ${left.join(', ')} of a sandbox: they survive SIGKILL`);
    }
    for (const pid of left) send(pid, 'SIGKILL');
    await pause(POLL_MS);
  }
}

/** Whether the condition came true within the time. */
export async function waitUntil(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) return false;
    await pause(POLL_MS);
  }
  return true;
}

/** A zombie has left its namespaces. */
function isGone(pid: number): boolean {
  const state = processFacts(pid)?.state;
  return state === undefined || state === 'Z' || state === 'X';
}
