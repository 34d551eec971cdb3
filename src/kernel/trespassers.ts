/**
 * Flows that no rule would have let begin.
 *
 * Rules judge the first packet; what is known passes. A flow between two networks that began while the rules were away would go
 * on after they are back, for as long as somebody sends. Forgotten, its next packet is a first one again.
 */
import { parseAddress, parsePrefix, type Prefix } from '../model/address.ts';
import type { Family } from '../model/records.ts';
import type { InternalIntent, IsolateIntent } from '../plan/resource.ts';
import { dumpAddresses, parseAddress as parseAddressMessage } from './address-message.ts';
import { readFlows } from './conntrack.ts';
import { deleteFlow, type Flow } from './flow-message.ts';
import { refused } from './kernel-refusal.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

interface Sockets {
  readonly route: NetlinkSocket;
  /** A netfilter socket, to be kept open. */
  readonly open: () => NetlinkSocket;
}

interface Walled {
  readonly prefix: Prefix;
  /** Nothing goes out either. */
  readonly isInternal: boolean;
}

export async function forgetTrespassers(
  intents: readonly (IsolateIntent | InternalIntent)[],
  { route, open }: Sockets,
): Promise<void> {
  for (const family of [4, 6] as const) {
    const walled = intents.filter((intent) => intent.family === family && isClosed(intent)).map(wall);
    if (walled.length === 0) continue;
    try {
      const own = await ownAddresses(route, family);
      const socket = open();
      const strays = (await readFlows(socket, { family })).filter((flow) => isTrespasser(flow, walled, own));
      for (const { refusal } of await socket.batch(strays.map(deleteFlow))) {
        // ENOENT: it ended by itself.
        if (refusal !== undefined && refusal.code !== 'ENOENT') throw refusal;
      }
    } catch (error) {
      throw refused('forget flows between networks', error);
    }
  }
}

/** Networks that may be entered directly have ways in that nothing here can tell from a trespass. */
function isClosed(intent: IsolateIntent | InternalIntent): boolean {
  if (intent.kind === 'internal') return true;
  return !intent.allowDirect && !intent.unprotected && intent.trustedLinks.length === 0;
}

function wall({ kind, subnet }: IsolateIntent | InternalIntent): Walled {
  return { prefix: parsePrefix(subnet), isInternal: kind === 'internal' };
}

async function ownAddresses(route: NetlinkSocket, family: Family): Promise<ReadonlySet<string>> {
  const messages = await route.dump(dumpAddresses(family, 0));
  return new Set(messages.map(parseAddressMessage).map(({ address }) => address));
}

/** `own`: the host's addresses, which may talk to everybody. */
export function isTrespasser(flow: Flow, walled: readonly Walled[], own: ReadonlySet<string>): boolean {
  const { originalSource, originalDestination, replySource } = flow;
  if (own.has(originalSource) || own.has(originalDestination) || originalDestination === '') return false;
  // A published port.
  if (replySource !== originalDestination) return false;
  const [from, to] = [parseAddress(originalSource).value, parseAddress(originalDestination).value];
  return walled.some(({ prefix: { first, last }, isInternal }) => {
    const [startsInside, endsInside] = [from >= first && from <= last, to >= first && to <= last];
    return endsInside ? !startsInside : isInternal && startsInside;
  });
}
