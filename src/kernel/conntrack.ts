/**
 * Forgetting flows: entries of connection tracking that would lead packets to where nobody is any more.
 *
 * A NAT decision is made once a flow. A client that goes on sending UDP to a port that is published anew would reach the
 * container that had it before, for as long as it keeps sending.
 */
import type { FlowFilter } from '../plan/kernel.ts';
import { deleteFlow, deleteFlows, dumpFlows, fits, parseFlow, type Flow, type KernelFilter } from './flow-message.ts';
import { errorCode, refused } from './kernel-refusal.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/** What a kernel says that has no connection tracking, or a filter that it does not know. */
const UNKNOWN = ['EPROTONOSUPPORT', 'EINVAL', 'EOPNOTSUPP', 'EAFNOSUPPORT'];
/** Every dump walks the whole table: with more filters than this, one unfiltered dump is cheaper. */
const MOST_DUMPS_A_FAMILY = 3;
/** So does every deletion by filter, at a tenth of a dump's cost: it passes by what is empty. */
const MOST_DELETIONS = 16;

/** `open`: a netfilter socket, to be kept open. */
export async function forgetFlows(filters: readonly FlowFilter[], open: () => NetlinkSocket): Promise<void> {
  if (filters.length === 0) return;
  let socket: NetlinkSocket;
  try {
    socket = open();
  } catch (error) {
    if (isUnknown(error)) return;
    throw refused('delete connection tracking entries', error);
  }
  try {
    if (await deleteInKernel(socket, filters)) return;
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
  }
}

/** Lets the kernel pick out and delete; false where it cannot, and nothing may have been deleted. */
async function deleteInKernel(socket: NetlinkSocket, filters: readonly FlowFilter[]): Promise<boolean> {
  const deletions = filters.map(deletionsFor);
  if (deletions.some(({ length }) => length === 0) || deletions.flat().length > MOST_DELETIONS) return false;
  for (const { refusal } of await socket.batch(deletions.flat().map(deleteFlows))) {
    if (refusal === undefined) continue;
    if (isUnknown(refusal)) return false;
    throw refusal;
  }
  return true;
}

/** The deletions that together hit what a filter fits; none if the kernel has no words for it: for ranges, and ports of any protocol. */
export function deletionsFor({ family, protocol, hostPorts, address }: FlowFilter): KernelFilter[] {
  if (hostPorts !== undefined && (protocol === undefined || hostPorts[0] !== hostPorts[1])) return [];
  const base: KernelFilter = {
    family,
    ...(protocol === undefined ? {} : { protocol }),
    ...(hostPorts === undefined ? {} : { hostPort: hostPorts[0] }),
  };
  if (address !== undefined) return bothDirections(base, address);
  return protocol === undefined ? [] : [base];
}

function bothDirections(base: KernelFilter, address: string): KernelFilter[] {
  return (['original', 'reply'] as const).map((direction) => ({ ...base, source: { direction, address } }));
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
    return address === undefined ? [base] : bothDirections(base, address);
  });
  return dumps.length > MOST_DUMPS_A_FAMILY ? [{ family: first.family }] : dumps;
}

/** The flows that are known, or nothing where the kernel tracks none. */
export async function readFlows(socket: NetlinkSocket, filter: KernelFilter): Promise<Flow[]> {
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
