/**
 * Questions of the outside: from the cache, with somebody else who asks the same at this moment, or from nameservers.
 */
import type { UpstreamPlace } from './exchange.ts';
import { EDNS_BYTES, FLAG, HEADER_BYTES, type Query } from './message.ts';
import { race } from './race.ts';
import { openResponseCache } from './response-cache.ts';
import { openUpstreamHealth, type Server } from './upstream-health.ts';

/** Nameservers, and the namespace that they are asked from. */
export interface Upstreams {
  readonly place: UpstreamPlace;
  readonly servers: readonly Server[];
}

export interface Forwarded {
  /** Undefined: nobody answered. */
  readonly answer: Buffer | undefined;
  readonly from: 'cache' | 'upstream';
}

export interface Forwarder {
  /** The answer with the id and the question of `query`. */
  forward(query: Query, upstreams: Upstreams): Forwarded | Promise<Forwarded>;
}

export interface ForwarderOptions {
  /** Unix time in milliseconds. */
  readonly now: () => number;
  readonly mostCachedBytes?: number;
}

const MOST_CACHED_BYTES = 16 << 20;
/** What of the header changes the answer: RD, AD, CD. */
const MEANINGFUL_FLAGS = FLAG.RD | 0x0020 | FLAG.CD;

export function openForwarder({ now, mostCachedBytes = MOST_CACHED_BYTES }: ForwarderOptions): Forwarder {
  const cache = openResponseCache({ now, mostBytes: mostCachedBytes });
  const health = openUpstreamHealth(now);
  const underWay = new Map<string, Promise<Buffer | undefined>>();

  const ask = (query: Query, { place, servers }: Upstreams): Promise<Buffer | undefined> =>
    race({ place, servers, question: { bytes: upstreamQuery(query), end: query.end }, health, now });

  const askOnce = (key: string, query: Query, upstreams: Upstreams): Promise<Buffer | undefined> => {
    const known = underWay.get(key);
    if (known !== undefined) return known;
    const asked = ask(query, upstreams).then((answer) => {
      underWay.delete(key);
      if (answer !== undefined) cache.put(key, answer, query.end);
      return answer;
    });
    underWay.set(key, asked);
    return asked;
  };

  const forUs = (query: Query, answer: Buffer | undefined): Buffer | undefined =>
    answer === undefined ? undefined : asAnswerTo(query, answer);

  return {
    forward: (query, upstreams) => {
      // Options (cookies, client subnets) are between the two ends.
      if (query.edns?.hasOptions === true) {
        return ask(query, upstreams).then((answer) => ({ answer: forUs(query, answer), from: 'upstream' }));
      }
      const key = keyOf(query, upstreams);
      const cached = cache.get(key);
      if (cached !== undefined) return { answer: forUs(query, cached), from: 'cache' };
      return askOnce(key, query, upstreams).then((answer) => ({ answer: forUs(query, answer), from: 'upstream' }));
    },
  };
}

/** As it was asked, but for what we ourselves take over UDP. */
function upstreamQuery({ bytes, edns }: Query): Buffer {
  const copy = Buffer.from(bytes);
  if (edns !== undefined) copy.writeUInt16BE(EDNS_BYTES, edns.at + 2);
  return copy;
}

/** Same question, same wishes, same nameservers: same answer. */
function keyOf({ bytes, end, flags, edns }: Query, { place, servers }: Upstreams): string {
  const wishes = [flags & MEANINGFUL_FLAGS, edns === undefined ? '-' : edns.dnssecOk ? 'do' : 'edns'];
  const where = servers.map(({ address, port }) => `${address}:${port}`);
  const name = bytes.toString('latin1', HEADER_BYTES, end - 4).toLowerCase();
  return [place.key, ...where, ...wishes, bytes.readUInt32BE(end - 4), name].join(' ');
}

/** The answer to somebody else's question of the same name: with this one's id and spelling. */
function asAnswerTo({ bytes, end }: Query, answer: Buffer): Buffer {
  const copy = Buffer.from(answer);
  bytes.copy(copy, 0, 0, 2);
  if (copy.readUInt16BE(4) === 1 && copy.length >= end) bytes.copy(copy, HEADER_BYTES, HEADER_BYTES, end);
  return copy;
}
