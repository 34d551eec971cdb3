/**
 * Answers of nameservers, for as long as they say (RFC 1035 TTL; RFC 2308 for "no such name" and "no such record").
 *
 * Bounded by bytes; what was not asked for longest goes first.
 */
import { HEADER_BYTES, isTruncated, RCODE, rcodeOf, readRecords, TYPE, type ResourceRecord } from './message.ts';

/** A day; a longer TTL is more likely a mistake than a wish. */
const LONGEST_SECONDS = 86_400;
/** RFC 2308, 5: one to three hours. */
const LONGEST_NEGATIVE_SECONDS = 3600;
/** What an entry costs besides its bytes, about. */
const ENTRY_BYTES = 400;

interface Entry {
  readonly bytes: Buffer;
  readonly records: readonly ResourceRecord[];
  readonly storedMs: number;
  readonly expiresMs: number;
}

export interface ResponseCache {
  /** The answer with its TTLs counted down; its id and question are those of whoever asked first. */
  get(key: string): Buffer | undefined;
  /** `end`: where the question ends. Keeps nothing that may not be kept. */
  put(key: string, answer: Buffer, end: number): void;
}

export function openResponseCache(options: { readonly now: () => number; readonly mostBytes: number }): ResponseCache {
  const { now, mostBytes } = options;
  const entries = new Map<string, Entry>();
  let bytes = 0;
  const cost = (key: string, entry: Entry): number => ENTRY_BYTES + key.length + entry.bytes.length;
  const drop = (key: string, entry: Entry): void => {
    entries.delete(key);
    bytes -= cost(key, entry);
  };
  return {
    get: (key) => {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      if (entry.expiresMs <= now()) {
        drop(key, entry);
        return undefined;
      }
      // A Map keeps the order of insertion: the last used is at its end.
      entries.delete(key);
      entries.set(key, entry);
      return aged(entry, Math.floor((now() - entry.storedMs) / 1000));
    },
    put: (key, answer, end) => {
      const records = readRecords(answer, end);
      const seconds = records === undefined ? 0 : secondsToKeep(answer, records);
      if (records === undefined || seconds <= 0) return;
      const before = entries.get(key);
      if (before !== undefined) drop(key, before);
      const entry = { bytes: Buffer.from(answer), records, storedMs: now(), expiresMs: now() + seconds * 1000 };
      entries.set(key, entry);
      bytes += cost(key, entry);
      for (const [oldest, old] of entries) {
        if (bytes <= mostBytes) break;
        drop(oldest, old);
      }
    },
  };
}

function aged({ bytes, records }: Entry, seconds: number): Buffer {
  const copy = Buffer.from(bytes);
  for (const { type, at, ttl } of records) {
    if (type !== TYPE.OPT) copy.writeUInt32BE(Math.max(0, ttl - seconds), at + 4);
  }
  return copy;
}

/** 0: not at all. */
export function secondsToKeep(answer: Buffer, records: readonly ResourceRecord[]): number {
  const rcode = rcodeOf(answer);
  if (answer.length < HEADER_BYTES || isTruncated(answer)) return 0;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return 0;
  const lasting = records.filter(({ type }) => type !== TYPE.OPT);
  const shortest = Math.min(LONGEST_SECONDS, ...lasting.map(({ ttl }) => (ttl > 0x7fffffff ? 0 : ttl)));
  const isPositive = rcode === RCODE.NOERROR && lasting.some(({ section }) => section === 'answer');
  if (isPositive) return shortest;
  // Without an SOA nobody said how long (RFC 2308, 5); a referral is no answer.
  const soa = lasting.find(({ section, type }) => section === 'authority' && type === TYPE.SOA);
  if (soa === undefined || soa.dataBytes < 4) return 0;
  const minimum = answer.readUInt32BE(soa.at + 10 + soa.dataBytes - 4);
  return Math.min(shortest, minimum, LONGEST_NEGATIVE_SECONDS);
}
