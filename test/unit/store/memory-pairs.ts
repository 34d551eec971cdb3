/** Sorted pairs in memory, copied as JSON like the real ones. */
import { endOf, type Entry, type KeyValues } from '../../../src/store/key-values.ts';

export function memoryPairs(): KeyValues {
  const map = new Map<string, string>();
  const sorted = (): Entry[] =>
    [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => ({ key, value: JSON.parse(value) as unknown }));
  const under = (prefix: string): Entry[] => sorted().filter(({ key }) => key >= prefix && key < endOf(prefix));
  return {
    get: (key) => {
      const value = map.get(key);
      return value === undefined ? undefined : (JSON.parse(value) as unknown);
    },
    put: (key, value) => {
      map.set(key, JSON.stringify(value));
    },
    remove: (key) => {
      map.delete(key);
    },
    atOrBefore: (prefix, key) => under(prefix).findLast((entry) => entry.key <= key),
    atOrAfter: (prefix, key) => under(prefix).find((entry) => entry.key >= key),
    under,
  };
}
