import { expect, it } from 'vitest';
import { openRest } from '../../../../src/daemon/heal/rest.ts';

it('rests not at all after damage, and longer and longer after looking in vain, up to three times a look', () => {
  const rest = openRest();
  const look = (startedMs: number, inVain: boolean): number => {
    rest.took({ startedMs, endedMs: startedMs + 100, inVain });
    return rest.waitMs(startedMs + 100);
  };
  expect(rest.waitMs(0)).toBe(0);
  expect([look(0, true), look(100, true), look(300, true), look(600, true), look(1_000, true)]).toEqual([
    0, 100, 200, 300, 300,
  ]);
  expect(look(1_400, false)).toBe(0);
  expect([look(1_500, true), look(1_600, true)]).toEqual([0, 100]);
  // After a while of quiet the first look is taken at once again.
  expect(look(4_000, true)).toBe(0);
});
