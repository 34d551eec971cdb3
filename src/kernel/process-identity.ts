/**
 * Processes, told apart from later ones of the same pid by their start time (proc_pid_stat(5)).
 */
import { readFileSync, statSync } from 'node:fs';
import type { ProcessIdentity } from '../model/records.ts';
import { hasEnded, refused } from './kernel-refusal.ts';

interface ProcessStat {
  /** "R", "S" … "Z" for a zombie, "X" for dead. */
  readonly state: string;
  /** Field 22, clock ticks since boot. */
  readonly startTime: number;
}

/** Parses /proc/PID/stat. The name in field 2 may hold blanks and parentheses, so fields count from the last one. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const nameEnd = text.lastIndexOf(')');
  if (nameEnd === -1) return undefined;
  const fields = text.slice(nameEnd + 2).split(' ');
  const [state, startTime] = [fields[0], Number(fields[19])];
  return state === undefined || state === '' || !Number.isSafeInteger(startTime) ? undefined : { state, startTime };
}

function processStat(pid: number): ProcessStat | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch (error) {
    if (hasEnded(error)) return undefined;
    throw refused(`look at process ${pid}`, error);
  }
}

export function processIdentity(pid: number): ProcessIdentity | undefined {
  const stat = processStat(pid);
  return stat === undefined ? undefined : { pid, startTime: stat.startTime };
}

/** Inode of the mount namespace; undefined when the process has ended. */
export function mountNamespace(pid: number): number | undefined {
  try {
    return statSync(`/proc/${pid}/ns/mnt`).ino;
  } catch (error) {
    if (hasEnded(error)) return undefined;
    throw refused(`look at process ${pid}`, error);
  }
}

/** A zombie counts as dead: it has no namespace any more and will never act again. */
export function isAlive(process: ProcessIdentity): boolean {
  const stat = processStat(process.pid);
  return stat !== undefined && stat.startTime === process.startTime && stat.state !== 'Z' && stat.state !== 'X';
}
