/**
 * Calls of one process that come at about the same time are carried out as one: five hundred containers that start together are
 * a few transactions, not five hundred.
 *
 * A call waits for the others of its turn of the event loop, and for the group that is being carried out; alone it waits for
 * nobody.
 */

export interface Grouping<T> {
  /** Carries out all in one. Where it rejects, each is carried out on its own: what it has done already must do no harm. */
  readonly together: (items: readonly T[]) => Promise<void>;
  /** Carries out one call, as if there were no other. */
  readonly alone: (items: readonly T[]) => Promise<void>;
}

interface Waiting<T> {
  readonly items: readonly T[];
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** Groups are carried out one after the other, all those opened here among themselves. */
export function openGrouping(): <Item>(grouping: Grouping<Item>) => (items: readonly Item[]) => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return <Item>(grouping: Grouping<Item>) => {
    let waiting: Waiting<Item>[] = [];
    const carryOut = async (): Promise<void> => {
      const group = waiting;
      waiting = [];
      await settle(group, grouping);
    };
    return (items: readonly Item[]) =>
      new Promise<void>((resolve, reject) => {
        if (items.length === 0) {
          resolve();
          return;
        }
        waiting.push({ items, resolve, reject });
        if (waiting.length > 1) return;
        setImmediate(() => {
          last = last.then(carryOut);
        });
      });
  };
}

/** Settles every call of a group; never rejects. */
async function settle<T>(group: readonly Waiting<T>[], { together, alone }: Grouping<T>): Promise<void> {
  if (group.length > 1) {
    try {
      await together(group.flatMap(({ items }) => items));
      for (const { resolve } of group) resolve();
      return;
    } catch {
      // Whose fault it is, and what the others can have, each finds out for itself.
    }
  }
  for (const { items, resolve, reject } of group) await alone(items).then(resolve, reject);
}
