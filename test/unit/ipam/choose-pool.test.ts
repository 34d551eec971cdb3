import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { choosePool, type ChoosePoolInput } from '../../../src/ipam/choose-pool.ts';
import { overlappingRoutes, refuseOverlap } from '../../../src/ipam/overlap.ts';
import { ulaPool } from '../../../src/ipam/ula.ts';
import { containsPrefix, formatPrefix, overlaps, parsePrefix, prefixAround } from '../../../src/model/address.ts';
import { TsnetError } from '../../../src/model/error.ts';

const DOCKER_POOLS = [
  { base: '172.17.0.0/16', size: 16 },
  { base: '172.18.0.0/16', size: 16 },
  { base: '172.19.0.0/16', size: 16 },
  { base: '172.20.0.0/14', size: 16 },
  { base: '172.24.0.0/14', size: 16 },
  { base: '172.28.0.0/14', size: 16 },
  { base: '192.168.0.0/16', size: 20 },
];
const BRIDGE = { network: 'bridge', subnet: '172.17.0.0/16' };

function choose(input: Partial<ChoosePoolInput>): string {
  return choosePool({ family: 4, pools: DOCKER_POOLS, used: [BRIDGE], avoid: [], ...input });
}

describe('the subnet of a new network', () => {
  test('is the first free block', () => {
    expect(choose({})).toBe('172.18.0.0/16');
    expect(choose({ used: [] })).toBe('172.17.0.0/16');
    expect(choose({ used: [BRIDGE, { network: 'a', subnet: '172.18.0.0/24' }] })).toBe('172.19.0.0/16');
  });

  test("fills Docker's pools with 31 networks and then says what to do", () => {
    const used: { network: string; subnet: string }[] = [];
    for (let count = 0; count < 31; count++) used.push({ network: `n${count}`, subnet: choose({ used }) });
    expect(used.at(14)?.subnet).toBe('172.31.0.0/16');
    expect(used.at(15)?.subnet).toBe('192.168.0.0/20');
    expect(used.at(-1)?.subnet).toBe('192.168.240.0/20');
    expect(() => choose({ used })).toThrow('all predefined IPv4 address pools are used');
    expect(() => choose({ used })).toThrow('set default-address-pools in daemon.json');
  });

  test('avoids what a route of the host leads to, larger or smaller than a block', () => {
    expect(choose({ avoid: ['172.18.5.0/24'] })).toBe('172.19.0.0/16');
    expect(choose({ avoid: ['172.16.0.0/12'] })).toBe('192.168.0.0/20');
    expect(choose({ avoid: ['172.16.0.0/12', '192.168.0.7/32', '192.168.24.0/22'] })).toBe('192.168.32.0/20');
  });

  test('does not mind default routes, nor how VPNs write them', () => {
    expect(choose({ avoid: ['0.0.0.0/0', '0.0.0.0/1', '128.0.0.0/1', '::/0'] })).toBe('172.18.0.0/16');
  });

  test('can have another size than the pools are cut to', () => {
    expect(choose({ length: 24 })).toBe('172.18.0.0/24');
    expect(choose({ length: 15 })).toBe('172.20.0.0/15');
  });

  test('is IPv6 when IPv6 is asked for', () => {
    const ula = ulaPool('seed');
    const first = choose({ family: 6, pools: [...DOCKER_POOLS, ula] });
    expect(first).toBe(`${ula.base.slice(0, -3)}/64`);
    const second = choose({ family: 6, pools: [ula], used: [{ network: 'a', subnet: first }] });
    expect(containsPrefix(parsePrefix(ula.base), parsePrefix(second))).toBe(true);
    expect(second).not.toBe(first);
    expect(() => choose({ family: 6 })).toThrow('none is configured');
  });

  test('never overlaps anything, and is the lowest block that does not', () => {
    const block = fc
      .tuple(fc.nat({ max: 0xffff }), fc.integer({ min: 16, max: 32 }))
      .map(([low, length]) => formatPrefix(prefixAround({ family: 4, value: 0x0a050000n + BigInt(low) }, length)));
    const pool = { base: '10.5.0.0/16', size: 20 };
    fc.assert(
      fc.property(fc.array(block, { maxLength: 12 }), fc.array(block, { maxLength: 12 }), (subnets, avoid) => {
        const taken = [...subnets, ...avoid].map(parsePrefix);
        const free = Array.from({ length: 16 }, (_, index) =>
          prefixAround({ family: 4, value: 0x0a050000n + BigInt(index * 4096) }, 20),
        ).find((candidate) => !taken.some((other) => overlaps(candidate, other)));
        const used = subnets.map((subnet) => ({ network: 'n', subnet }));
        if (free === undefined) expect(() => choose({ pools: [pool], used, avoid })).toThrow(TsnetError);
        else expect(choose({ pools: [pool], used, avoid })).toBe(formatPrefix(free));
      }),
      { numRuns: 500 },
    );
  });

  test('takes no longer in a large pool', () => {
    expect(choose({ pools: [{ base: 'fd00::/8', size: 64 }], family: 6, avoid: ['fd00::/9'] })).toBe('fd80::/64');
  });
});

describe('a unique local pool', () => {
  test('is the same for the same installation, and another for another', () => {
    expect(ulaPool('a')).toEqual(ulaPool('a'));
    expect(ulaPool('a').base).not.toBe(ulaPool('b').base);
    for (const seed of ['a', 'b', 'c']) {
      const { base, size } = ulaPool(seed);
      expect(containsPrefix(parsePrefix('fd00::/8'), parsePrefix(base))).toBe(true);
      expect([parsePrefix(base).length, size]).toEqual([48, 64]);
    }
  });
});

describe('a subnet asked for', () => {
  const used = [BRIDGE, { network: 'db', subnet: '10.1.0.0/16' }];

  test('that overlaps another network is refused with its name', () => {
    expect(() => {
      refuseOverlap('10.0.0.0/8', used);
    }).toThrow('subnet 10.0.0.0/8 overlaps 10.1.0.0/16 of network db');
    expect(() => {
      refuseOverlap('10.1.0.0/16', used);
    }).toThrow('subnet 10.1.0.0/16 is taken by network db');
    expect(() => {
      refuseOverlap('10.2.0.0/16', used);
    }).not.toThrow();
  });

  test('that overlaps routes of the host is told which', () => {
    const routes = ['0.0.0.0/0', '10.1.2.0/24', '10.0.0.0/8', '192.168.0.0/16', 'fd00::/8'];
    expect(overlappingRoutes('10.1.0.0/16', routes)).toEqual(['10.1.2.0/24', '10.0.0.0/8']);
    expect(overlappingRoutes('172.18.0.0/16', routes)).toEqual([]);
  });
});
