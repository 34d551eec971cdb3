/**
 * Requests to the kernel together with what they are for, so that a refusal can say what was attempted.
 */
import type { TsnetError } from '../model/error.ts';
import { refused, type KernelRefusal } from './kernel-refusal.ts';
import type { NetlinkRequest } from './netlink-message.ts';
import type { NetlinkSocket, Outcome } from './netlink-socket.ts';

/** `mended`: what was in the way has been changed, and the steps behind it are to be taken again. */
type Verdict = 'fine' | 'mended';

export interface Step {
  /** "add address 172.17.0.2/16 to eth0 in /run/netns/web" */
  readonly attempt: string;
  readonly request: NetlinkRequest;
  /** What a refusal means; throws where it is a failure. Absent: every refusal is one. */
  readonly onRefusal?: (refusal: KernelRefusal) => Verdict | Promise<Verdict>;
}

/** Sends all steps at once, and throws the first failure. */
export async function take(socket: NetlinkSocket, steps: readonly Step[]): Promise<void> {
  for (let rest = steps; rest.length > 0;) {
    const outcomes = await socket.batch(rest.map(({ request }) => request));
    rest = rest.slice(await judge(rest, outcomes));
  }
}

/** How many steps are done with: all, or those up to the first that was mended. */
async function judge(steps: readonly Step[], outcomes: readonly Outcome[]): Promise<number> {
  for (const [index, { attempt, onRefusal }] of steps.entries()) {
    const refusal = outcomes[index]?.refusal;
    if (refusal === undefined) continue;
    if (onRefusal === undefined) throw refused(attempt, refusal);
    if ((await onRefusal(refusal)) === 'mended') return index + 1;
  }
  return steps.length;
}

/** The step, content with a refusal of this code: what it wants is so already, or cannot be and need not. */
export function accepting(code: string, step: Step): Step {
  return {
    ...step,
    onRefusal: (refusal) => {
      if (refusal.code === code) return 'fine';
      throw refused(step.attempt, refusal);
    },
  };
}

/** Sends all steps at once and tells those refused, but for refusals of the `expected` codes. */
export async function tryAll(
  socket: NetlinkSocket,
  steps: readonly Step[],
  expected: readonly string[],
): Promise<TsnetError[]> {
  const outcomes = await socket.batch(steps.map(({ request }) => request));
  return outcomes.flatMap(({ refusal }, index) =>
    refusal === undefined || expected.includes(refusal.code)
      ? []
      : [refused(steps[index]?.attempt ?? 'change the network', refusal)],
  );
}
