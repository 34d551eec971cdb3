/**
 * Pairs that remember what they were before, to be able to take a committed change back.
 */
import type { KeyValues } from './key-values.ts';

export interface Journal {
  readonly pairs: KeyValues;
  /** Whether anything was written. */
  readonly isTouched: () => boolean;
  /** Writes everything back as it was. */
  readonly restore: () => void;
}

export function journal(pairs: KeyValues): Journal {
  const before = new Map<string, unknown>();
  const remember = (key: string): void => {
    if (!before.has(key)) before.set(key, pairs.get(key));
  };
  return {
    pairs: {
      ...pairs,
      put: (key, value) => {
        remember(key);
        pairs.put(key, value);
      },
      remove: (key) => {
        remember(key);
        pairs.remove(key);
      },
    },
    isTouched: () => before.size > 0,
    restore: () => {
      for (const [key, value] of before) {
        if (value === undefined) pairs.remove(key);
        else pairs.put(key, value);
      }
    },
  };
}
