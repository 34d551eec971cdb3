/** What /proc tells about a process (proc_pid_stat(5)). */
import { readFileSync } from 'node:fs';
import { hasEnded } from '../kernel/kernel-refusal.ts';

export interface ProcessFacts {
  /** "R", "S", "T" stopped, "Z" zombie … */
  readonly state: string;
  readonly processGroup: number;
  /** 0: no controlling terminal. */
  readonly terminal: number;
  /** Process group in the foreground of the controlling terminal; -1 without one. */
  readonly foregroundGroup: number;
  /** Whether it runs a program yet, or is still a fork of its parent (`F` of ps(1): "forked but didn't exec"). */
  readonly hasExecuted: boolean;
  /** As wait(2) tells it; only of a zombie, and only to root. */
  readonly waitStatus: number;
}

/** PF_FORKNOEXEC of <linux/sched.h>. */
const FORKED_BUT_DID_NOT_EXEC = 0x40;

/** Parses /proc/PID/stat; fields are counted from the end of the name, which may hold blanks and parentheses. */
export function parseProcessFacts(stat: string): ProcessFacts | undefined {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
  const state = fields[0] ?? '';
  const [processGroup, terminal, foregroundGroup, flags] = [fields[2], fields[4], fields[5], fields[6]].map(Number) as [
    number,
    number,
    number,
    number,
  ];
  if (state === '' || !stat.includes(')') || [processGroup, terminal, foregroundGroup, flags].some(Number.isNaN)) {
    return undefined;
  }
  return {
    state,
    processGroup,
    terminal,
    foregroundGroup,
    hasExecuted: (flags & FORKED_BUT_DID_NOT_EXEC) === 0,
    waitStatus: Number(fields[49] ?? 0),
  };
}

/** Undefined once the process is gone. */
export function processFacts(pid: number | 'self'): ProcessFacts | undefined {
  try {
    return parseProcessFacts(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch (error) {
    if (hasEnded(error)) return undefined;
    throw error;
  }
}
