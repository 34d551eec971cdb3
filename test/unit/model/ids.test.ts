import { describe, expect, test } from 'vitest';
import { isId, randomId, shortId, timestamp } from '../../../src/model/ids.ts';

describe('an id', () => {
  test('is 64 hex digits, new every time, and never abbreviates to a number', () => {
    const ids = Array.from({ length: 2000 }, randomId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) {
      expect(id).toMatch(/^[0-9a-f]{64}$/);
      expect(isId(id)).toBe(true);
      expect(shortId(id)).toHaveLength(12);
      expect(shortId(id)).not.toMatch(/^\d+$/);
    }
  });

  test('is told apart from names and prefixes', () => {
    expect(isId('ab')).toBe(false);
    expect(isId('AB'.repeat(32))).toBe(false);
    expect(isId(`${'ab'.repeat(32)}\n`)).toBe(false);
  });
});

describe('a time of creation', () => {
  test('has nine decimals and is UTC', () => {
    expect(timestamp(Date.UTC(2024, 4, 1, 12, 0, 0, 7))).toBe('2024-05-01T12:00:00.007000000Z');
    expect(timestamp(0.5)).toBe('1970-01-01T00:00:00.000500000Z');
    expect(timestamp(0.99999999)).toBe('1970-01-01T00:00:00.000999999Z');
  });

  test('sorts as text in the order of time', () => {
    expect([timestamp(2), timestamp(1.25), timestamp(1)].sort()).toEqual([timestamp(1), timestamp(1.25), timestamp(2)]);
  });
});
