/** Keeps the rest of the machine out of a measurement. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The last processor that this process may use: interrupts prefer the first ones. */
function lastProcessor(): string {
  const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return /\d+$/.exec(allowed)?.[0] ?? '0';
}

/**
 * Binds this thread to one processor, the same for all who are compared, and puts it there before all ordinary threads
 * (SCHED_FIFO). Samples take some milliseconds: with a busy neighbour their median would otherwise be the neighbour's, and
 * with processors that are not alike, the processor's. Call it when everything else is set up: children inherit it.
 */
export function goFirst(): void {
  const thread = String(process.pid);
  execFileSync('taskset', ['--cpu-list', '--pid', lastProcessor(), thread], { stdio: 'ignore' });
  execFileSync('chrt', ['--fifo', '--pid', '1', thread]);
}
