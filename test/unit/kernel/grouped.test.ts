import { describe, expect, it } from 'vitest';
import { openGrouping } from '../../../src/kernel/grouped.ts';

/** A firewall that writes down what it is asked; `refuses` is what it will have nothing to do with. */
function stage({ refuses = '' }: { readonly refuses?: string } = {}) {
  const done: string[] = [];
  let running = 0;
  const work = (name: string) => async (items: readonly string[]) => {
    running += 1;
    expect(running).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 2));
    running -= 1;
    if (items.includes(refuses)) throw new Error(`${name} ${items.join()} refused`);
    done.push(`${name} ${items.join()}`);
  };
  const grouped = openGrouping();
  return {
    done,
    add: grouped<string>({ together: work('add all'), alone: work('add') }),
    remove: grouped<string>({ together: work('remove all'), alone: work('remove') }),
  };
}

describe('grouped calls', () => {
  it('are carried out in one when they come in one turn of the event loop, and by itself when one comes alone', async () => {
    const { add, done } = stage();
    await add(['a', 'b']);
    await Promise.all([add(['c']), add(['d', 'e']), add(['f'])]);
    expect(done).toEqual(['add a,b', 'add all c,d,e,f']);
  });

  it('wait for the group that is under way, of whatever kind, and are the next', async () => {
    const { add, remove, done } = stage();
    const first = [add(['a']), remove(['x'])];
    await new Promise((resolve) => setTimeout(resolve, 1));
    await Promise.all([...first, add(['b']), add(['c'])]);
    expect(done).toEqual(['add a', 'remove x', 'add all b,c']);
  });

  it('fail for who is to blame, and only for that', async () => {
    const { add, done } = stage({ refuses: 'bad' });
    const outcomes = await Promise.allSettled([add(['a']), add(['bad']), add(['c'])]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { message: 'add bad refused' } });
    expect(done).toEqual(['add a', 'add c']);
    await add(['d']);
    expect(done.at(-1)).toBe('add d');
  });
});
