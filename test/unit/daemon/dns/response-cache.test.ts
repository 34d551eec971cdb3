import { decode, encode, type Answer } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { openResponseCache } from '../../../../src/daemon/dns/response-cache.ts';
import { soa } from '../../../support/nameserver.ts';
import { query } from './queries.ts';

const { end } = query('www.test');

function answer(answers: readonly Answer[], authorities: readonly Answer[] = [], flags = 0): Buffer {
  const questions = [{ type: 'A', name: 'www.test' } as const];
  return encode({ type: 'response', id: 1, flags, questions, answers: [...answers], authorities: [...authorities] });
}

const a = (ttl: number): Answer => ({ type: 'A', name: 'www.test', ttl, data: '192.0.2.1' });

function clocked(mostBytes = 1 << 20) {
  const clock = { ms: 1_700_000_000_000 };
  return { clock, cache: openResponseCache({ now: () => clock.ms, mostBytes }) };
}

describe('the cache', () => {
  it('keeps an answer for its shortest TTL and counts down', () => {
    const { clock, cache } = clocked();
    cache.put('key', answer([a(300), a(60)]), end);
    clock.ms += 59_000;
    const aged = decode(cache.get('key') ?? Buffer.alloc(0)).answers as { ttl: number }[];
    expect(aged.map(({ ttl }) => ttl)).toEqual([241, 1]);
    clock.ms += 1000;
    expect(cache.get('key')).toBeUndefined();
  });

  it.each([
    ['"no such name", as long as its SOA says', answer([], [soa('test', 30)], 3), 30],
    ['"no such record" too', answer([], [soa('test', 20)]), 20],
    ['a negative answer for an hour at most', answer([], [soa('test', 100_000)], 3), 3600],
    ['a positive one for a day at most', answer([a(1_000_000)]), 86_400],
    ['no negative answer without an SOA', answer([], [], 3), 0],
    ['nothing with a TTL of zero', answer([a(0)]), 0],
    ['no failure', answer([], [soa('test', 30)], 2), 0],
    ['nothing that was cut', answer([a(60)], [], 0x0200), 0],
    ['nothing garbled', answer([a(60)]).subarray(0, -3), 0],
  ])('keeps %s', (_, message, seconds) => {
    const { clock, cache } = clocked();
    cache.put('key', message, end);
    clock.ms += seconds * 1000 - 1;
    expect(cache.get('key') !== undefined).toBe(seconds > 0);
    clock.ms += 1;
    expect(cache.get('key')).toBeUndefined();
  });

  it.each([{ ...soa('test', 600), ttl: 5 } as Answer, { ...soa('test', 5), ttl: 600 } as Answer])(
    'takes the SOA’s TTL or its minimum, whichever is shorter',
    (record) => {
      const { clock, cache } = clocked();
      cache.put('key', answer([], [record], 3), end);
      clock.ms += 4999;
      expect(cache.get('key')).toBeDefined();
      clock.ms -= 4999;
      clock.ms += 5000;
      expect(cache.get('key')).toBeUndefined();
    },
  );

  it('stays within its bytes; what was used last stays', () => {
    const { cache } = clocked(10_000);
    const message = answer([a(60)]);
    for (let count = 0; count < 1000; count += 1) {
      cache.put(`key${count}`, message, end);
      expect(cache.get('key0')).toBeDefined();
    }
    const kept = Array.from({ length: 1000 }, (_, count) => cache.get(`key${count}`)).filter(Boolean);
    expect(kept.length).toBeGreaterThan(10);
    expect(kept.length).toBeLessThan(10_000 / message.length);
  });
});
