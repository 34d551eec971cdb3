import { describe, expect, it } from 'vitest';
import { openHosts, type HostState } from '../../../src/cluster/hosts.ts';
import { turnedClock } from './turned-clock.ts';

const value = (number: number) => ({
  name: `h${number}`,
  vtep: `192.168.0.${number}`,
  port: 4789,
  mtu: 1500,
  epoch: 'e',
});

function scene(count: number) {
  const clock = turnedClock();
  const holds: (number | undefined)[] = [];
  const hosts = openHosts({
    self: 'h0',
    graceMs: 10_000,
    clock,
    onChange: () => undefined,
    onHold: (missing) => holds.push(missing?.length),
  });
  for (let number = 0; number < count; number++) hosts.put(`h${number}`, value(number));
  const states = (): Record<HostState, number> => {
    const all = { alive: 0, gone: 0, held: 0, dead: 0 };
    for (const { state } of hosts.all().values()) all[state] += 1;
    return all;
  };
  return { clock, hosts, holds, states };
}

describe('a host whose key vanished', () => {
  it('is dead after its grace, in the smallest cluster too', () => {
    const { clock, hosts, holds } = scene(2);
    hosts.vanished('h1');
    clock.turn(9_999);
    expect(hosts.find('h1')?.state).toBe('gone');
    clock.turn(1);
    expect(hosts.find('h1')?.state).toBe('dead');
    expect(holds).toEqual([]);
  });

  it('is alive again when it returns within its grace, and after it', () => {
    const { clock, hosts } = scene(3);
    hosts.vanished('h1');
    clock.turn(5_000);
    hosts.put('h1', value(1));
    clock.turn(60_000);
    expect(hosts.find('h1')?.state).toBe('alive');
    hosts.vanished('h1');
    clock.turn(10_000);
    hosts.put('h1', value(1));
    expect(hosts.find('h1')?.state).toBe('alive');
  });

  it('does not die while the store is out of reach, and has another grace when it is back', () => {
    const { clock, hosts } = scene(3);
    hosts.vanished('h1');
    hosts.setLive(false);
    clock.turn(3_600_000);
    expect(hosts.find('h1')?.state).toBe('gone');
    hosts.setLive(true);
    clock.turn(9_999);
    expect(hosts.find('h1')?.state).toBe('gone');
    clock.turn(1);
    expect(hosts.find('h1')?.state).toBe('dead');
  });
});

describe('many hosts that vanish together', () => {
  it('are held, and nobody dies', () => {
    const { clock, hosts, holds, states } = scene(50);
    for (let number = 1; number <= 11; number++) hosts.vanished(`h${number}`);
    clock.turn(3_600_000);
    expect(states()).toEqual({ alive: 39, gone: 0, held: 11, dead: 0 });
    expect(holds.at(-1)).toBe(11);
  });

  it('are let go when enough are back: who is missing then is dead', () => {
    const { clock, hosts, holds, states } = scene(50);
    for (let number = 1; number <= 20; number++) hosts.vanished(`h${number}`);
    clock.turn(10_000);
    for (let number = 1; number <= 15; number++) hosts.put(`h${number}`, value(number));
    clock.turn(9_999);
    expect(states().dead).toBe(0);
    clock.turn(1);
    expect(states()).toEqual({ alive: 45, gone: 0, held: 0, dead: 5 });
    expect(holds.at(-1)).toBeUndefined();
  });

  it('are held without those that a person removed: the rest may be few enough to be believed', () => {
    const { clock, hosts, holds, states } = scene(4);
    for (const id of ['h1', 'h2']) hosts.vanished(id);
    clock.turn(60_000);
    expect(states().held).toBe(2);
    hosts.forget('h1');
    clock.turn(9_999);
    expect(states().dead).toBe(0);
    clock.turn(1);
    expect(states()).toEqual({ alive: 2, gone: 0, held: 0, dead: 1 });
    expect(holds.at(-1)).toBeUndefined();
  });

  it('are held no more when the last of them is removed', () => {
    const { clock, hosts, holds } = scene(3);
    for (const id of ['h1', 'h2']) hosts.vanished(id);
    clock.turn(60_000);
    for (const id of ['h1', 'h2']) hosts.forget(id);
    expect(holds.at(-1)).toBeUndefined();
  });

  it('are believed one after the other, when a minute lies between them', () => {
    const { clock, hosts, states } = scene(6);
    for (let number = 1; number <= 4; number++) {
      hosts.vanished(`h${number}`);
      clock.turn(61_000);
    }
    expect(states().dead).toBe(4);
  });
});
