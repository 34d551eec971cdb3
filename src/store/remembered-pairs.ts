/**
 * Pairs that need not be read again: networks change seldom, and every change of anything looks at several.
 *
 * What was read stays good as long as the generation does that was current when it was read (`ledger.ts`).
 */
import type { Entry, KeyValues } from './key-values.ts';

export interface RememberedPairs {
  readonly pairs: KeyValues;
  /** To be told before anything is read; another generation than before: everything is read anew. */
  readonly at: (generation: number) => void;
}

export function rememberedPairs(source: KeyValues): RememberedPairs {
  const values = new Map<string, unknown>();
  const tables = new Map<string, Entry[]>();
  let current: number | undefined;
  const forget = (): void => {
    values.clear();
    tables.clear();
  };
  return {
    at: (generation) => {
      if (generation !== current) forget();
      current = generation;
    },
    pairs: {
      ...source,
      get: (key) => {
        if (!values.has(key)) values.set(key, source.get(key));
        return values.get(key);
      },
      under: (prefix) => {
        const known = tables.get(prefix) ?? source.under(prefix);
        tables.set(prefix, known);
        return known;
      },
      put: (key, value) => {
        forget();
        source.put(key, value);
      },
      remove: (key) => {
        forget();
        source.remove(key);
      },
    },
  };
}
