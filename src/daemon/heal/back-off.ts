/**
 * How often the same thing is mended: at once, and at once again, then after 0.25 s, 0.5 s … 60 s, for as long as somebody keeps
 * breaking it. What stays whole for a while starts afresh. Pure: time is handed in.
 */
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 60_000;
/** Times that it may be mended before it counts as flapping. */
const FLAPPING_FROM = 4;
const QUIET_MS = 10_000;

export interface Flapping {
  readonly owner: string;
  readonly what: string;
  /** How often it was mended, or could not be. */
  readonly times: number;
  /** Unix time in milliseconds: left alone until then. */
  readonly untilMs: number;
  /** Why it cannot be mended; absent: it can, and is broken again each time. */
  readonly reason?: string;
}

interface Entry {
  readonly owner: string;
  readonly what: string;
  readonly times: number;
  readonly untilMs: number;
  readonly reason: string | undefined;
}

type Thing = Pick<Flapping, 'owner' | 'what'>;

export interface BackOff {
  /** Mended, or with a reason: could not be. `isNews`: this is the first time that it is worth a warning. */
  note(thing: Thing, now: number, reason?: string): { readonly isNews: boolean };
  /** Milliseconds until it may be mended; 0: now. */
  waitFor(thing: Thing, now: number): number;
  /** What is flapping or cannot be mended. */
  list(now: number): Flapping[];
}

/** Milliseconds before a thing is mended again that was mended `times` times. */
export function delayAfter(times: number): number {
  return times < 2 ? 0 : Math.min(FIRST_DELAY_MS * 2 ** (times - 2), LONGEST_DELAY_MS);
}

export function openBackOff(): BackOff {
  const entries = new Map<string, Entry>();
  const keyOf = ({ owner, what }: Thing): string => `${owner}\n${what}`;
  const current = (key: string, now: number): Entry | undefined => {
    const entry = entries.get(key);
    if (entry === undefined || now < entry.untilMs + delayAfter(entry.times) + QUIET_MS) return entry;
    entries.delete(key);
    return undefined;
  };
  return {
    note: ({ owner, what }, now, reason) => {
      const key = keyOf({ owner, what });
      const before = current(key, now);
      // What cannot be mended is not tried at once again.
      const times = (before?.times ?? (reason === undefined ? 0 : 1)) + 1;
      entries.set(key, { owner, what, times, untilMs: now + delayAfter(times), reason });
      const isNews =
        reason === undefined ? times === FLAPPING_FROM : before?.reason === undefined || before.reason !== reason;
      return { isNews };
    },
    waitFor: (thing, now) => Math.max((current(keyOf(thing), now)?.untilMs ?? 0) - now, 0),
    list: (now) =>
      [...entries.keys()].flatMap((key) => {
        const entry = current(key, now);
        if (entry === undefined || (entry.times < FLAPPING_FROM && entry.reason === undefined)) return [];
        const { owner, what, times, untilMs, reason } = entry;
        return [{ owner, what, times, untilMs, ...(reason === undefined ? {} : { reason }) }];
      }),
  };
}
