/**
 * Requests to the kernel together with what they are for, so that a refusal can say what was attempted.
 */
import type { TsnetError } from '../model/error.ts';
import { refused } from './kernel-refusal.ts';
import type { NetlinkRequest } from './netlink-message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

export interface Step {
  /** "add address 172.17.0.2/16 to eth0 in /run/netns/web" */
  readonly attempt: string;
  readonly request: NetlinkRequest;
}

/** Sends all steps at once and throws the first refusal. */
export async function take(socket: NetlinkSocket, steps: readonly Step[]): Promise<void> {
  const [failure] = await tryAll(socket, steps, []);
  if (failure !== undefined) throw failure;
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
