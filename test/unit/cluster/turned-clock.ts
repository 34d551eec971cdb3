/** A clock whose hands a test turns. */
import type { ClusterClock } from '../../../src/cluster/clock.ts';

export interface TurnedClock extends ClusterClock {
  turn(ms: number): void;
}

export function turnedClock(): TurnedClock {
  let now = 0;
  let due: { readonly at: number; readonly work: () => void }[] = [];
  return {
    now: () => now,
    after: (ms, work) => {
      const entry = { at: now + ms, work };
      due.push(entry);
      return () => {
        due = due.filter((one) => one !== entry);
      };
    },
    turn: (ms) => {
      const end = now + ms;
      for (;;) {
        const [next] = due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        due = due.filter((one) => one !== next);
        now = next.at;
        next.work();
      }
      now = end;
    },
  };
}
