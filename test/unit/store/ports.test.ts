import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PortClaim } from '../../../src/model/ledger.ts';
import { allPorts, claimPort, portConflicts, releasePort } from '../../../src/store/ports.ts';
import { memoryPairs } from './memory-pairs.ts';

const ADDRESSES = ['0.0.0.0', '10.0.0.1', '10.0.0.10', '1.1.1.1', '::', 'fd00::1', '::1'];

/** Texts of which one begins with the other. */
const CLOSE = ['10.0.0.1', '10.0.0.10'];

const claim: fc.Arbitrary<PortClaim> = fc.record({
  protocol: fc.constantFrom('tcp' as const, 'udp' as const),
  hostAddress: fc.constantFrom(...ADDRESSES, ...CLOSE, ...CLOSE),
  hostPort: fc.integer({ min: 1, max: 30 }),
  containerPort: fc.constant(80),
  count: fc.integer({ min: 1, max: 6 }),
  endpointId: fc.constantFrom('one', 'two'),
});

/** Wide enough to collide with several. */
const wide = fc
  .tuple(claim, fc.integer({ min: 1, max: 30 }))
  .map(([narrow, count]): PortClaim => ({ ...narrow, count }));

function collide(a: PortClaim, b: PortClaim): boolean {
  const family = (address: string): number => (address.includes(':') ? 6 : 4);
  const isWild = (address: string): boolean => address === '0.0.0.0' || address === '::';
  return (
    a.protocol === b.protocol &&
    family(a.hostAddress) === family(b.hostAddress) &&
    (a.hostAddress === b.hostAddress || isWild(a.hostAddress) || isWild(b.hostAddress)) &&
    a.hostPort < b.hostPort + b.count &&
    b.hostPort < a.hostPort + a.count
  );
}

function isSame(a: PortClaim, b: PortClaim): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

const byText = (claims: readonly PortClaim[]): string[] => claims.map((each) => JSON.stringify(each)).sort();

describe('port claims', () => {
  test('collide as a comparison of every pair would say', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 5 }), claim), { maxLength: 60 }), wide, (steps, wanted) => {
        const pairs = memoryPairs();
        let naive: PortClaim[] = [];
        for (const [die, each] of steps) {
          const victim = naive[each.hostPort % Math.max(1, naive.length)];
          if (die === 0 && victim !== undefined) {
            releasePort(pairs, victim);
            naive = naive.filter((other) => other !== victim);
          } else {
            const inTheWay = naive.filter((other) => collide(other, each));
            const answer = claimPort(pairs, each);
            if (inTheWay.length === 0) naive = [...naive, each];
            expect(answer === undefined ? [] : byText([answer])).toEqual(
              byText(inTheWay.filter((other) => answer !== undefined && isSame(other, answer))),
            );
            expect(answer === undefined).toBe(inTheWay.length === 0);
          }
        }
        expect(byText(allPorts(pairs))).toEqual(byText(naive));
        expect(byText(portConflicts(pairs, wanted))).toEqual(byText(naive.filter((other) => collide(other, wanted))));
      }),
      { numRuns: 300 },
    );
  });

  const web: PortClaim = {
    protocol: 'tcp',
    hostAddress: '0.0.0.0',
    hostPort: 8080,
    containerPort: 80,
    count: 1,
    endpointId: 'web',
  };

  test('name the holder when they are refused', () => {
    const pairs = memoryPairs();
    expect(claimPort(pairs, web)).toBeUndefined();
    expect(claimPort(pairs, { ...web, hostAddress: '127.0.0.1', endpointId: 'other' })).toEqual(web);
    expect(claimPort(pairs, web)).toEqual(web);
    expect(allPorts(pairs)).toEqual([web]);
  });

  test('of another endpoint are not released', () => {
    const pairs = memoryPairs();
    claimPort(pairs, web);
    releasePort(pairs, { ...web, endpointId: 'other' });
    releasePort(pairs, { ...web, count: 2 });
    expect(allPorts(pairs)).toEqual([web]);
    releasePort(pairs, web);
    expect(allPorts(pairs)).toEqual([]);
  });

  test('may span every port', () => {
    const pairs = memoryPairs();
    claimPort(pairs, { ...web, hostPort: 1, containerPort: 1, count: 65535 });
    expect(portConflicts(pairs, { ...web, hostPort: 65535 })).toHaveLength(1);
    expect(portConflicts(pairs, { ...web, protocol: 'udp' })).toHaveLength(0);
    expect(portConflicts(pairs, { ...web, hostAddress: '::' })).toHaveLength(0);
  });
});
