import { describe, expect, it } from 'vitest';
import { delayAfter, openBackOff } from '../../../../src/daemon/heal/back-off.ts';

const rule = { owner: 'network web', what: 'isolate 172.18.0.0/16' };

describe('back-off', () => {
  it('mends twice at once, then after 0.25 s, 0.5 s … 60 s', () => {
    expect([0, 1, 2, 3, 4, 10, 40].map(delayAfter)).toEqual([0, 0, 250, 500, 1_000, 60_000, 60_000]);
  });

  it('holds back one thing and no other', () => {
    const backOff = openBackOff();
    backOff.note(rule, 0);
    expect(backOff.waitFor(rule, 0)).toBe(0);
    backOff.note(rule, 0);
    expect(backOff.waitFor(rule, 100)).toBe(150);
    expect(backOff.waitFor(rule, 300)).toBe(0);
    expect(backOff.waitFor({ ...rule, owner: 'network other' }, 100)).toBe(0);
  });

  it('is news once, and forgotten after a quiet time that grows with the delay', () => {
    const backOff = openBackOff();
    const news = [0, 1, 2, 3, 4, 5].map((second) => backOff.note(rule, second * 1_000).isNews);
    expect(news).toEqual([false, false, false, true, false, false]);
    expect(backOff.list(6_000)).toEqual([{ ...rule, times: 6, untilMs: 9_000 }]);
    expect(backOff.list(9_000 + 4_000 + 10_000 - 1)).toHaveLength(1);
    expect(backOff.list(9_000 + 4_000 + 10_000)).toEqual([]);
    expect(backOff.note(rule, 30_000).isNews).toBe(false);
  });

  it('tries what cannot be mended later and later, and says why whenever the reason is another', () => {
    const backOff = openBackOff();
    expect(backOff.note(rule, 0, 'no memory').isNews).toBe(true);
    expect(backOff.waitFor(rule, 0)).toBe(250);
    expect(backOff.note(rule, 300, 'no memory').isNews).toBe(false);
    expect(backOff.note(rule, 900, 'no such table').isNews).toBe(true);
    expect(backOff.list(900)).toMatchObject([{ ...rule, times: 4, reason: 'no such table' }]);
  });
});
