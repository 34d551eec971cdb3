/**
 * Who lives in a sandbox: the processes with every thread in its network namespace. One thread is not enough: tsnet
 * processes step into sandboxes for a moment with their main thread, and must not be taken for inhabitants. Where sandboxes
 * share a network namespace, each is known by the mount namespace that its first process was given.
 */
import { readdirSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { errorCode, hasEnded } from '../kernel/kernel-refusal.ts';
import { TsnetError } from '../model/error.ts';
import type { ProcessIdentity, Sandbox } from '../model/records.ts';
import { processFacts } from './process-table.ts';

const POLL_MS = 20;
const KILL_MS = 5_000;

/** What tells the processes of one sandbox from all others. */
export type Habitat = Pick<Sandbox, 'netns' | 'mountNamespace'> & {
  /** Whether others live in the network namespace too: then it takes the mount namespace to tell them apart. */
  readonly isShared: boolean;
};

function isIn({ dev, ino }: { readonly dev?: number; readonly ino: number }, path: string): boolean {
  try {
    const stat = statSync(path);
    return (dev === undefined || stat.dev === dev) && stat.ino === ino;
  } catch (error) {
    if (hasEnded(error) || errorCode(error) === 'EACCES') return false;
    throw error;
  }
}

function livesIn({ netns, mountNamespace, isShared }: Habitat, pid: number): boolean {
  const network = { dev: netns.device, ino: netns.inode };
  const hasThread = (path: string): boolean =>
    isIn(network, `${path}/ns/net`) &&
    (!isShared || (mountNamespace !== undefined && isIn({ ino: mountNamespace }, `${path}/ns/mnt`)));
  if (!hasThread(`/proc/${pid}`)) return false;
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) => hasThread(`/proc/${pid}/task/${thread}`));
  } catch (error) {
    if (hasEnded(error)) return false;
    throw error;
  }
}

/** Ends before it looks when these would be the host's own processes: signalling them would be signalling everybody. */
function inhabitants(habitat: Habitat): number[] {
  const { netns, mountNamespace, isShared } = habitat;
  const network = { dev: netns.device, ino: netns.inode };
  const isOfHost = (what: { readonly dev?: number; readonly ino: number }, namespace: 'net' | 'mnt'): boolean =>
    isIn(what, `/proc/self/ns/${namespace}`) || isIn(what, `/proc/1/ns/${namespace}`);
  if (isShared ? mountNamespace !== undefined && isOfHost({ ino: mountNamespace }, 'mnt') : isOfHost(network, 'net')) {
    throw new TsnetError('INTERNAL', 'end the processes of a sandbox: its namespace is that of the host');
  }
  return readdirSync('/proc')
    .filter((entry) => /^[1-9][0-9]*$/.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid && livesIn(habitat, pid));
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/** Sends a signal to the sandbox's first process and to those of its process group that live in the sandbox. */
export function signalSandbox(habitat: Habitat, first: ProcessIdentity, signal: NodeJS.Signals): void {
  const group = processFacts(first.pid)?.processGroup;
  // A command in a terminal shares its group with the tsnet that waits for it, and with a pipeline: those live outside.
  for (const pid of inhabitants(habitat)) if (processFacts(pid)?.processGroup === group) send(pid, signal);
}

/** Kills whoever still lives in a sandbox of our own, as a container's processes go with its first one. */
export async function endInhabitants(habitat: Habitat): Promise<void> {
  // A record without a namespace: the sandbox was never finished.
  if (habitat.netns.inode === 0) return;
  const end = performance.now() + KILL_MS;
  for (;;) {
    const left = inhabitants(habitat).filter((pid) => !isGone(pid));
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
