/** `GET /events`: what was, then what comes, one JSON object a line, until the client or `until` ends it. */
import type { FastifyReply } from 'fastify';
import { TsnetError } from '../../../model/error.ts';
import type { NetworkFilters } from '../../../engine/engine.ts';
import type { Events, NetworkEvent } from '../../events.ts';
import { requireKnown } from './filters.ts';

export interface EventWish {
  readonly since?: string;
  readonly until?: string;
  readonly filters: NetworkFilters;
}

/** A reader that lets more than this lie about is cut off: it would see the daemon's memory grow instead. */
const MOST_UNREAD_BYTES = 1 << 20;
/** Longest wait that a timer takes (2^31 - 1 ms). */
const LONGEST_TIMER_MS = 0x7fffffff;
const NANO_PER_MS = 1_000_000n;
const FILTERS = ['action', 'container', 'daemon', 'event', 'label', 'network', 'scope', 'type'];

/** Docker's message; the time by hand, since nanoseconds are wider than a number of ours. */
export function eventJson({ action, networkId, attributes, timeNano }: NetworkEvent): string {
  const message = {
    Type: 'network',
    Action: action,
    Actor: { ID: networkId, Attributes: attributes },
    scope: 'local',
  };
  return `${JSON.stringify(message).slice(0, -1)},"time":${timeNano / 1_000_000_000n},"timeNano":${timeNano}}`;
}

/** Unix seconds with up to nine decimals, as Docker's clients send times, or RFC 3339. @throws TsnetError INVALID */
export function eventTime(name: string, text: string): bigint {
  const [, seconds, fraction = ''] = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  if (seconds !== undefined) return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return BigInt(ms) * NANO_PER_MS;
  throw new TsnetError('INVALID', `${name}=${text}: expected Unix seconds or an RFC 3339 time`);
}

/** Whether an event passes: keys AND each other, values of one key OR. Networks and containers by name, id or its beginning. */
export function eventFilter(filters: NetworkFilters): (event: NetworkEvent) => boolean {
  requireKnown(filters, FILTERS);
  const tests = Object.entries(filters);
  return (event) => tests.every(([key, values]) => values.some((value) => matches(event, key, value)));
}

function matches({ action, networkId, attributes }: NetworkEvent, key: string, value: string): boolean {
  switch (key) {
    case 'event':
    case 'action':
      return action === value;
    case 'type':
      return value === 'network';
    case 'scope':
      return value === 'local';
    case 'network':
      return attributes['name'] === value || (networkId !== '' && value !== '' && networkId.startsWith(value));
    case 'container':
      return (
        attributes['containerName'] === value || (value !== '' && (attributes['container'] ?? '').startsWith(value))
      );
    case 'label': {
      const [name = '', ...rest] = value.split('=');
      return Object.hasOwn(attributes, name) && (rest.length === 0 || attributes[name] === rest.join('='));
    }
    default:
      // There is one daemon, and its name is not known to anybody.
      return false;
  }
}

/** Answers with a stream. `now`: Unix milliseconds. @throws TsnetError INVALID before anything is answered */
export function streamEvents(
  reply: FastifyReply,
  { events, wish, now }: { readonly events: Events; readonly wish: EventWish; readonly now: () => number },
): void {
  const passes = eventFilter(wish.filters);
  const since = wish.since === undefined ? undefined : eventTime('since', wish.since);
  const until = wish.until === undefined ? undefined : eventTime('until', wish.until);
  const within = ({ timeNano }: NetworkEvent): boolean =>
    (since === undefined || timeNano >= since) && (until === undefined || timeNano <= until);

  void reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), 'content-type': 'application/json' });
  raw.flushHeaders();
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearTimeout(timer);
    unsubscribe();
  };
  const send = (event: NetworkEvent): void => {
    if (!within(event) || !passes(event)) return;
    raw.write(`${eventJson(event)}\n`);
    if (raw.writableLength <= MOST_UNREAD_BYTES) return;
    stop();
    raw.destroy();
  };
  const end = (): void => {
    stop();
    raw.end();
  };
  const unsubscribe = events.subscribe(send, end);
  raw.on('close', stop).on('error', stop);
  // Times without `since` are of what comes, as in Docker; `until` alone shows the past too.
  if (since !== undefined || until !== undefined) for (const event of [...events.past()]) send(event);
  if (until === undefined) return;
  const wait = (): void => {
    const left = Number(until / NANO_PER_MS) - now();
    if (left <= 0) end();
    else timer = setTimeout(wait, Math.min(left, LONGEST_TIMER_MS));
  };
  wait();
}
