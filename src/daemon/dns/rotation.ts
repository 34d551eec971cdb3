/**
 * Round-robin: who shares a name comes first in turn.
 *
 * A turn belongs to a name and a type. With one for all, a resolver that always asks for A and AAAA together would meet the
 * same half of two containers for ever.
 */

const MOST_NAMES = 4096;

export type Rotate = <T>(key: string, items: readonly T[]) => readonly T[];

export function openRotation(): Rotate {
  const turns = new Map<string, number>();
  return (key, items) => {
    if (items.length < 2) return items;
    const turn = turns.get(key) ?? 0;
    turns.delete(key);
    turns.set(key, turn + 1);
    if (turns.size > MOST_NAMES) {
      for (const oldest of turns.keys()) {
        turns.delete(oldest);
        break;
      }
    }
    const first = turn % items.length;
    return [...items.slice(first), ...items.slice(0, first)];
  };
}
