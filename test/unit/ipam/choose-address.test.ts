import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkAddress, chooseAddress, restedAddresses } from '../../../src/ipam/choose-address.ts';
import { formatAddress, parseAddress, parsePrefix, prefixAround, formatPrefix } from '../../../src/model/address.ts';
import { TsnetError, type ErrorCode } from '../../../src/model/error.ts';
import type { Leases } from '../../../src/model/ledger.ts';
import type { Family, Pool } from '../../../src/model/records.ts';
import { NaiveLeases } from './naive-leases.ts';

const DEFAULT: Pool = { subnet: '172.17.0.0/16', gateway: '172.17.0.1', aux: {} };

function choose(pool: Pool, leases: Leases, reserved: readonly string[] = []): string {
  const family: Family = pool.subnet.includes(':') ? 6 : 4;
  return chooseAddress({ network: 'web', pools: [pool], family, leases, reserved }).address;
}

function take(pool: Pool, leases: NaiveLeases): string {
  const address = choose(pool, leases);
  leases.give(parseAddress(address).value);
  return address;
}

function codeOf(act: () => unknown): ErrorCode | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return error instanceof TsnetError ? error.code : undefined;
  }
}

/** A small subnet of either family with a gateway, a range and aux addresses, anywhere in it. */
const smallPool: fc.Arbitrary<Pool> = fc
  .record({
    family: fc.constantFrom<Family>(4, 6),
    hostBits: fc.integer({ min: 0, max: 6 }),
    gateway: fc.option(fc.nat({ max: 63 }), { nil: undefined }),
    route: fc.option(fc.nat({ max: 63 }), { nil: undefined }),
    range: fc.option(fc.tuple(fc.nat({ max: 63 }), fc.nat({ max: 6 })), { nil: undefined }),
    aux: fc.array(fc.nat({ max: 63 }), { maxLength: 5 }),
  })
  .map(({ family, hostBits, gateway, route, range, aux }) => {
    const base = family === 4 ? parsePrefix('10.9.8.0/24') : parsePrefix('fd00:9:8::/120');
    const bits = family === 4 ? 32 : 128;
    const subnet = prefixAround({ family, value: base.first + 64n }, bits - hostBits);
    const at = (offset: number): { family: Family; value: bigint } => ({
      family,
      value: subnet.first + (BigInt(offset) & ((1n << BigInt(hostBits)) - 1n)),
    });
    return {
      subnet: formatPrefix(subnet),
      ...(gateway === undefined ? {} : { gateway: formatAddress(at(gateway)) }),
      ...(route === undefined ? {} : { route: formatAddress(at(route)) }),
      ...(range === undefined
        ? {}
        : { range: formatPrefix(prefixAround(at(range[0]), bits - Math.min(hostBits, range[1]))) }),
      aux: Object.fromEntries(aux.map((offset, index) => [`aux${index}`, formatAddress(at(offset))])),
    };
  });

/** The addresses that a pool may give, listed the slow way. */
function usable(pool: Pool): Set<bigint> {
  const subnet = parsePrefix(pool.subnet);
  const range = parsePrefix(pool.range ?? pool.subnet);
  const reserved = [pool.gateway, pool.route, ...Object.values(pool.aux)].filter((text) => text !== undefined);
  const addresses = new Set<bigint>();
  for (let value = range.first; value <= range.last; value++) addresses.add(value);
  const size = subnet.last - subnet.first + 1n;
  if (size > 2n) addresses.delete(subnet.first);
  if (size > 2n && subnet.family === 4) addresses.delete(subnet.last);
  for (const text of reserved) addresses.delete(parseAddress(text).value);
  return addresses;
}

describe('the next address', () => {
  test('of the default bridge is 172.17.0.2, then .3', () => {
    const leases = new NaiveLeases();
    expect([take(DEFAULT, leases), take(DEFAULT, leases)]).toEqual(['172.17.0.2', '172.17.0.3']);
  });

  test('passes over gateway, next hop and aux addresses', () => {
    const pool: Pool = {
      subnet: '192.168.1.0/24',
      gateway: '192.168.1.5',
      route: '192.168.1.1',
      range: '192.168.1.0/25',
      aux: { router: '192.168.1.3' },
    };
    const leases = new NaiveLeases();
    expect([1, 2, 3].map(() => take(pool, leases))).toEqual(['192.168.1.2', '192.168.1.4', '192.168.1.6']);
    expect(choose(pool, leases, ['192.168.1.7'])).toBe('192.168.1.8');
  });

  test('of a /64 starts after the subnet-router anycast address', () => {
    expect(choose({ subnet: 'fd00::/64', aux: {} }, new NaiveLeases())).toBe('fd00::1');
  });

  test('follows the last one given even when an earlier one is free again', () => {
    const leases = new NaiveLeases();
    take(DEFAULT, leases);
    take(DEFAULT, leases);
    leases.release(parseAddress('172.17.0.2').value);
    expect(take(DEFAULT, leases)).toBe('172.17.0.4');
  });

  test('wraps to the start when the end is reached', () => {
    const pool: Pool = { subnet: '10.0.0.0/29', gateway: '10.0.0.1', aux: {} };
    const leases = new NaiveLeases();
    for (let count = 0; count < 5; count++) take(pool, leases);
    for (const free of ['10.0.0.2', '10.0.0.4']) leases.release(parseAddress(free).value);
    expect([take(pool, leases), take(pool, leases)]).toEqual(['10.0.0.2', '10.0.0.4']);
    expect(codeOf(() => choose(pool, leases))).toBe('EXHAUSTED');
  });

  test('tells the subnet length and the pool it came from', () => {
    const six: Pool = { subnet: 'fd00::/64', gateway: 'fd00::1', aux: {} };
    const chosen = chooseAddress({ network: 'web', pools: [DEFAULT, six], family: 6, leases: new NaiveLeases() });
    expect(chosen).toEqual({ address: 'fd00::2', length: 64, pool: six, from: 'free' });
  });

  test('comes from the second pool when the first is full', () => {
    const pools: Pool[] = [
      { subnet: '10.0.0.0/32', aux: {} },
      { subnet: '10.0.1.0/24', aux: {} },
    ];
    const leases = new NaiveLeases();
    const next = (): string => chooseAddress({ network: 'web', pools, family: 4, leases }).address;
    expect(next()).toBe('10.0.0.0');
    leases.give(parseAddress('10.0.0.0').value);
    expect(next()).toBe('10.0.1.1');
  });

  test('is every usable one once, in order, and then none', () => {
    fc.assert(
      fc.property(smallPool, (pool) => {
        const leases = new NaiveLeases();
        const wanted = usable(pool);
        const given = Array.from(wanted, () => parseAddress(take(pool, leases)).value);
        expect(given).toEqual([...wanted]);
        expect(codeOf(() => choose(pool, leases))).toBe('EXHAUSTED');
      }),
    );
  });

  test('is never held or reserved, and one in quarantine only when no other is left', () => {
    const step = fc.record({ act: fc.constantFrom('lease', 'lease', 'rest', 'release'), which: fc.nat() });
    const steps = fc.array(step, { maxLength: 120 });
    fc.assert(
      fc.property(smallPool, steps, (pool, many) => {
        const allowed = usable(pool);
        const leases = new NaiveLeases();
        for (const [time, { act, which }] of many.entries()) {
          const held = [...leases.held].filter((value) => !leases.resting.some(({ address }) => address === value));
          const victim = held[which % Math.max(1, held.length)];
          if (act !== 'lease' && victim !== undefined) {
            if (act === 'rest') leases.rest(victim, time);
            else leases.release(victim);
            continue;
          }
          if (held.length === allowed.size) {
            expect(codeOf(() => choose(pool, leases))).toBe('EXHAUSTED');
            continue;
          }
          const oldest = leases.resting[0]?.address;
          const noneFree = leases.held.size === allowed.size;
          const value = parseAddress(choose(pool, leases)).value;
          expect(allowed.has(value)).toBe(true);
          expect(held).not.toContain(value);
          if (noneFree) expect(value).toBe(oldest);
          else expect(leases.held.has(value)).toBe(false);
          leases.give(value);
        }
      }),
    );
  });

  test('asks the ledger a handful of times, whatever the size and the number of leases', () => {
    for (const subnet of ['10.0.0.0/8', '172.16.0.0/16', 'fd00::/64']) {
      const family: Family = subnet.includes(':') ? 6 : 4;
      const { first } = parsePrefix(subnet);
      const pool: Pool = {
        subnet,
        gateway: formatAddress({ family, value: first + 1n }),
        aux: { a: formatAddress({ family, value: first + 30_000n }) },
      };
      // 60,000 leases in two runs around the aux address; the cursor stands before them all.
      const runs = [
        { start: first + 2n, end: first + 29_999n },
        { start: first + 30_001n, end: first + 60_001n },
      ];
      let calls = 0;
      const leases: Leases = {
        last: first + 1n,
        takenRunAt: (address) => {
          calls++;
          return runs.find(({ start, end }) => start <= address && address <= end);
        },
        quarantined: () => [],
      };
      expect(choose(pool, leases)).toBe(formatAddress({ family, value: first + 60_002n }));
      expect(calls).toBeLessThanOrEqual(3);
    }
  });

  test('names network, subnet and count when there is none', () => {
    const leases = new NaiveLeases();
    const pool: Pool = { subnet: '10.0.0.0/30', gateway: '10.0.0.1', aux: {} };
    take(pool, leases);
    expect(() => choose(pool, leases)).toThrow(
      'no free IPv4 address in network web: all 1 of 10.0.0.0/30 are held; disconnect containers',
    );
    expect(() => chooseAddress({ network: 'web', pools: [pool], family: 6, leases })).toThrow('no IPv6 subnet');
  });
});

describe('a quarantined address', () => {
  const pool: Pool = { subnet: '10.0.0.0/29', gateway: '10.0.0.1', aux: {} };

  test('never comes early where somebody on the LAN had it', () => {
    const leases = new NaiveLeases();
    const pool: Pool = { subnet: '10.0.0.0/30', aux: {} };
    for (const address of ['10.0.0.1', '10.0.0.2']) leases.give(parseAddress(address).value);
    leases.rest(parseAddress('10.0.0.1').value, 2000);
    leases.resting[0] = { address: parseAddress('10.0.0.1').value, untilMs: 2000, foreign: true };
    expect(codeOf(() => choose(pool, leases))).toBe('EXHAUSTED');
    expect(restedAddresses({ leases, family: 4, nowMs: 2000, atMost: 4 })).toEqual(['10.0.0.1']);
  });

  test('is taken when nothing else is free, the one resting longest first', () => {
    const leases = new NaiveLeases();
    for (let count = 0; count < 5; count++) take(pool, leases);
    leases.rest(parseAddress('10.0.0.4').value, 2000);
    leases.rest(parseAddress('10.0.0.3').value, 3000);
    const chosen = chooseAddress({ network: 'web', pools: [pool], family: 4, leases });
    expect(chosen).toMatchObject({ address: '10.0.0.4', from: 'quarantine' });
  });

  test('that somebody reserved meanwhile is not', () => {
    const leases = new NaiveLeases();
    for (let count = 0; count < 5; count++) take(pool, leases);
    leases.rest(parseAddress('10.0.0.4').value, 2000);
    expect(codeOf(() => choose(pool, leases, ['10.0.0.4']))).toBe('EXHAUSTED');
  });

  test('has rested when its time is over', () => {
    const leases = new NaiveLeases();
    for (const [index, text] of ['10.0.0.4', '10.0.0.3', '10.0.0.2'].entries()) {
      leases.rest(parseAddress(text).value, 1000 * (index + 1));
    }
    const rested = (nowMs: number, atMost: number): string[] => restedAddresses({ leases, family: 4, nowMs, atMost });
    expect(rested(999, 10)).toEqual([]);
    expect(rested(2000, 10)).toEqual(['10.0.0.4', '10.0.0.3']);
    expect(rested(9000, 1)).toEqual(['10.0.0.4']);
  });
});

describe('an address asked for', () => {
  const pools: Pool[] = [
    { subnet: '10.1.0.0/24', gateway: '10.1.0.1', route: '10.1.0.2', range: '10.1.0.128/25', aux: { nas: '10.1.0.9' } },
    { subnet: 'fd01::/64', gateway: 'fd01::1', aux: {} },
  ];
  const check = (address: string): unknown => checkAddress({ network: 'web', pools, address });

  test('may lie outside the range of dynamic ones', () => {
    expect(check('10.1.0.77')).toMatchObject({ address: '10.1.0.77', length: 24, pool: pools[0] });
    expect(check('FD01:0::5')).toMatchObject({ address: 'fd01::5', length: 64 });
  });

  test.each([
    ['10.2.0.1', 'INVALID', 'lies in no subnet of network web; they are 10.1.0.0/24, fd01::/64'],
    ['10.1.0.0', 'INVALID', 'network address'],
    ['10.1.0.255', 'INVALID', 'broadcast address'],
    ['fd01::', 'INVALID', 'anycast'],
    ['10.1.0.1', 'FORBIDDEN', 'the gateway of network web'],
    ['10.1.0.2', 'FORBIDDEN', 'the default gateway of network web'],
    ['10.1.0.9', 'FORBIDDEN', 'aux address "nas" of network web'],
    ['10.1.0', 'INVALID', 'not an IP address'],
  ])('%s is refused: %s, %s', (address, code, why) => {
    expect(codeOf(() => check(address))).toBe(code);
    expect(() => check(address)).toThrow(why);
  });

  test('may be either end of a /31', () => {
    const tiny: Pool[] = [{ subnet: '10.1.0.0/31', aux: {} }];
    expect(checkAddress({ network: 'p2p', pools: tiny, address: '10.1.0.0' }).length).toBe(31);
    expect(checkAddress({ network: 'p2p', pools: tiny, address: '10.1.0.1' }).length).toBe(31);
  });
});
