/**
 * How long to rest after a look. Who finds damage goes on at once; who looks in vain, since somebody else changes things all the
 * time, rests longer and longer, up to three times what a look takes: a quarter of one processor at most.
 */
const STEP_MS = 100;
const FACTOR = 3;
/** After this long without a look, the first is taken at once again. */
const QUIET_MS = 2_000;

export interface Rest {
  /** Milliseconds until the next look, from `now`. */
  waitMs(now: number): number;
  took(look: { readonly startedMs: number; readonly endedMs: number; readonly inVain: boolean }): void;
}

/** Times are of one clock, in milliseconds. */
export function openRest(): Rest {
  let inVain = 0;
  let endedMs = -Infinity;
  let restMs = 0;
  return {
    waitMs: (now) => Math.max(endedMs + restMs - now, 0),
    took: (look) => {
      if (!look.inVain) inVain = 0;
      else inVain = look.startedMs - endedMs > QUIET_MS ? 1 : inVain + 1;
      endedMs = look.endedMs;
      restMs = Math.min(FACTOR * (look.endedMs - look.startedMs), STEP_MS * Math.max(inVain - 1, 0));
    },
  };
}
