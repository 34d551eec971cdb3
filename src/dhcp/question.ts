/** Asking a server on a segment, until it answers or time is up. */
import { randomId } from '../model/ids.ts';
import { TsnetError } from '../model/error.ts';
import type { DhcpClient } from './identity.ts';
import { NO_ADDRESS } from './ipv4.ts';
import { decodeMessage, encodeMessage, OPTION, type DhcpMessage } from './message.ts';
import type { DhcpSegment, Envelope } from './segment.ts';

export interface Talk {
  readonly segment: DhcpSegment;
  readonly client: DhcpClient;
  /** Unix time in milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a clock that nobody sets: what waiting is measured by. */
  readonly ticks: () => number;
  /** How long the whole conversation may take. */
  readonly timeoutMs: number;
}

export interface Request extends Pick<DhcpMessage, 'type' | 'xid' | 'broadcast' | 'options'> {
  readonly clientAddress?: string;
}

interface Question {
  readonly request: Request;
  readonly envelope: Envelope;
  /** In ticks; it may come nearer while we wait. */
  readonly end: number | (() => number);
}

interface Received {
  readonly message: DhcpMessage;
  readonly fromMac: string;
}

export interface Answer<T> {
  readonly found: T;
  readonly fromMac: string;
  /** When the question was asked last, Unix time in milliseconds. */
  readonly askedAtMs: number;
}

/** The first repetition comes after this, and each next one after twice as long. */
const FIRST_GAP_MS = 1_500;
const LARGEST_MESSAGE = 1472;
/** What we want to know (option 55). */
const WANTED = Buffer.from([
  OPTION.subnetMask,
  OPTION.router,
  OPTION.domainServer,
  OPTION.domainName,
  OPTION.leaseTime,
  OPTION.server,
  OPTION.renewalTime,
  OPTION.rebindingTime,
]);

/** Asks, again and again and ever more slowly, until an answer is what was wanted or time is up. */
export async function converse<T>(
  { segment, client, now, ticks }: Talk,
  { request, envelope, end }: Question,
  accept: (received: Received) => T | undefined,
): Promise<Answer<T> | undefined> {
  const endsAt = typeof end === 'number' ? () => end : end;
  const begin = ticks();
  let askedAtMs = now();
  let askAgainAt = begin;
  let gap = FIRST_GAP_MS;
  while (ticks() < endsAt()) {
    if (ticks() >= askAgainAt) {
      askedAtMs = now();
      askAgainAt = ticks() + gap;
      gap *= 2;
      segment.send(encoded(client, request, Math.floor((ticks() - begin) / 1000)), envelope);
    }
    const heard = await segment.receive(Math.max(1, Math.min(askAgainAt, endsAt()) - ticks()));
    const message = heard === undefined ? undefined : readable(heard.message);
    if (heard === undefined || message === undefined) continue;
    if (message.from !== 'server' || message.xid !== request.xid || message.mac !== client.mac) continue;
    const found = accept({ message, fromMac: heard.fromMac });
    if (found !== undefined) return { found, fromMac: heard.fromMac, askedAtMs };
  }
  return undefined;
}

/** Whatever is not a message was not meant for us. */
function readable(bytes: Buffer): DhcpMessage | undefined {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    if (error instanceof TsnetError) return undefined;
    throw error;
  }
}

/** The bytes of a client's message. `seconds`: since it began to ask. */
export function encoded({ mac, clientId, hostName }: DhcpClient, request: Request, seconds: number): Buffer {
  const asks = request.type === 'discover' || request.type === 'request';
  const size = Buffer.alloc(2);
  size.writeUInt16BE(LARGEST_MESSAGE);
  return encodeMessage({
    from: 'client',
    seconds: Math.min(seconds, 0xffff),
    clientAddress: NO_ADDRESS,
    yourAddress: NO_ADDRESS,
    mac,
    ...request,
    options: new Map<number, Buffer>([
      [OPTION.clientId, Buffer.from(clientId, 'hex')],
      ...request.options,
      ...(asks && hostName !== undefined ? [[OPTION.hostName, Buffer.from(hostName)] as const] : []),
      ...(asks
        ? ([
            [OPTION.largestMessage, size],
            [OPTION.parameters, WANTED],
          ] as const)
        : []),
    ]),
  });
}

export function newXid(): number {
  return parseInt(randomId().slice(0, 8), 16);
}
