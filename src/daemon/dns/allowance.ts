/**
 * What one sandbox may ask of the daemon: so many questions a second, and so many that wait for an answer at a time. The others
 * do not notice one that asks without end.
 */

const QUESTIONS_A_SECOND = 5000;
const MOST_WAITING = 256;

export interface Allowance {
  /** Counts one question; false when it is one too many and should not even be read. */
  admit(): boolean;
  /** Counts one that waits for a nameserver, until `leave`; false when too many do. */
  enter(): boolean;
  leave(): void;
}

/** `now` in milliseconds. */
export function openAllowance(now: () => number): Allowance {
  let left = QUESTIONS_A_SECOND;
  let filledMs = now();
  let waiting = 0;
  return {
    admit: () => {
      const passed = Math.max(0, now() - filledMs);
      filledMs = now();
      left = Math.min(QUESTIONS_A_SECOND, left + (passed * QUESTIONS_A_SECOND) / 1000);
      if (left < 1) return false;
      left -= 1;
      return true;
    },
    enter: () => {
      if (waiting >= MOST_WAITING) return false;
      waiting += 1;
      return true;
    },
    leave: () => {
      waiting -= 1;
    },
  };
}
