import { describe, expect, it } from 'vitest';
import { openUpstreamHealth, type Server } from '../../../../src/daemon/dns/upstream-health.ts';

const [first, second, third] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address): Server => ({
  address,
  port: 53,
})) as [Server, Server, Server];
const all = [first, second, third];

function clocked() {
  const clock = { ms: 0 };
  return { clock, health: openUpstreamHealth(() => clock.ms) };
}

describe('the health of nameservers', () => {
  it('keeps their order while they answer', () => {
    const { health } = clocked();
    health.answered('host', third, 1);
    expect(health.plan('host', all)).toEqual({ order: all, together: 1 });
  });

  it('puts one that failed last, tries it beside another when its rest is over, and takes it back when it answers', () => {
    const { clock, health } = clocked();
    health.failed('host', first);
    expect(health.plan('host', all)).toEqual({ order: [second, third, first], together: 1 });
    expect(health.plan('other', all).order).toEqual(all);
    clock.ms += 2000;
    expect(health.plan('host', all)).toEqual({ order: [second, first, third], together: 2 });
    // Once: the next question does not try it again.
    expect(health.plan('host', all).together).toBe(1);
    health.answered('host', first, 10);
    expect(health.plan('host', all)).toEqual({ order: all, together: 1 });
  });

  it('rests longer each time, a minute at most', () => {
    const { clock, health } = clocked();
    const rests: number[] = [];
    for (let failure = 0; failure < 8; failure += 1) {
      health.failed('host', first);
      const since = clock.ms;
      while (health.plan('host', all).together === 1) clock.ms += 500;
      rests.push(clock.ms - since);
    }
    expect(rests).toEqual([2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  it('takes many questions that fail at one time for one failure', () => {
    const { clock, health } = clocked();
    for (let count = 0; count < 100; count += 1) health.failed('host', first);
    clock.ms += 2000;
    expect(health.plan('host', all).together).toBe(2);
  });

  it('does not take back one that answers too late to be waited for', () => {
    const { health } = clocked();
    health.failed('host', first);
    health.answered('host', first, 400);
    expect(health.plan('host', all).order).toEqual([second, third, first]);
  });

  it('waits as long as a server usually takes, between 50 and 100 ms', () => {
    const { health } = clocked();
    expect(health.patience('host', first)).toBe(100);
    for (let count = 0; count < 50; count += 1) health.answered('host', first, 2);
    expect(health.patience('host', first)).toBe(50);
    for (let count = 0; count < 50; count += 1) health.answered('host', first, 70);
    expect(health.patience('host', first)).toBeGreaterThan(69);
    for (let count = 0; count < 50; count += 1) health.answered('host', first, 900);
    expect(health.patience('host', first)).toBe(100);
  });

  it('asks all the same when all have failed', () => {
    const { clock, health } = clocked();
    for (const server of all) health.failed('host', server);
    expect(health.plan('host', all)).toEqual({ order: all, together: 1 });
    clock.ms += 100_000;
    expect(health.plan('host', all).order).toEqual(all);
  });
});
