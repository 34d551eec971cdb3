/**
 * Forgetting flows: entries of connection tracking that would lead packets to where nobody is any more.
 *
 * A NAT decision is made once a flow. A client that goes on sending UDP to a port that is published anew would reach the
 * container that had it before, for as long as it keeps sending.
 */
import type { FlowFilter } from '../plan/kernel.ts';
import { deleteFlow, dumpFlows, fits, parseFlow, type Flow, type KernelFilter } from './flow-message.ts';
import { errorCode, refused } from './kernel-refusal.ts';
import { NetlinkSocket } from './netlink-socket.ts';

/** What a kernel says that has no connection tracking, or a dump filter that it does not know. */
const UNKNOWN = ['EPROTONOSUPPORT', 'EINVAL', 'EOPNOTSUPP', 'EAFNOSUPPORT'];
/** Every dump walks the whole table: with more filters than this, one unfiltered dump is cheaper. */
const MOST_DUMPS_A_FAMILY = 3;

export async function forgetFlows(filters: readonly FlowFilter[]): Promise<void> {
  if (filters.length === 0) return;
  let socket: NetlinkSocket;
  try {
    socket = new NetlinkSocket('netfilter');
  } catch (error) {
    if (isUnknown(error)) return;
    throw refused('delete connection tracking entries', error);
  }
  try {
    for (const family of [4, 6] as const) {
      const ofFamily = filters.filter((filter) => filter.family === family);
      const flows = await matchingFlows(socket, ofFamily);
      for (const { refusal } of await socket.batch(flows.map(deleteFlow))) {
        // ENOENT: it ended by itself.
        if (refusal !== undefined && refusal.code !== 'ENOENT') throw refusal;
      }
    }
  } catch (error) {
    throw refused('delete connection tracking entries', error);
  } finally {
    await socket.close();
  }
}

async function matchingFlows(socket: NetlinkSocket, filters: readonly FlowFilter[]): Promise<Flow[]> {
  const found = new Map<string, Flow>();
  for (const dump of dumpsFor(filters)) {
    for (const flow of await readFlows(socket, dump)) {
      if (filters.some((filter) => fits(flow, filter))) found.set(flow.identity.toString('latin1'), flow);
    }
  }
  return [...found.values()];
}

/** The dumps that together hold every flow that a filter fits. */
export function dumpsFor(filters: readonly FlowFilter[]): KernelFilter[] {
  const [first] = filters;
  if (first === undefined) return [];
  const dumps = filters.flatMap(({ family, protocol, address }): KernelFilter[] => {
    const base: KernelFilter = protocol === undefined ? { family } : { family, protocol };
    if (address === undefined) return [base];
    return (['original', 'reply'] as const).map((direction) => ({ ...base, source: { direction, address } }));
  });
  return dumps.length > MOST_DUMPS_A_FAMILY ? [{ family: first.family }] : dumps;
}

async function readFlows(socket: NetlinkSocket, filter: KernelFilter): Promise<Flow[]> {
  try {
    return (await socket.dump(dumpFlows(filter))).flatMap((payload) => parseFlow(payload) ?? []);
  } catch (error) {
    if (!isUnknown(error)) throw error;
    const isFiltered = filter.protocol !== undefined || filter.source !== undefined;
    return isFiltered ? readFlows(socket, { family: filter.family }) : [];
  }
}

function isUnknown(error: unknown): boolean {
  return UNKNOWN.includes(errorCode(error) ?? '');
}
