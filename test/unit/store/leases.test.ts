import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress, parsePrefix } from '../../../src/model/address.ts';
import type { Family, LeaseHolder } from '../../../src/model/records.ts';
import type { KeyValues } from '../../../src/store/key-values.ts';
import {
  allLeases,
  forgetLeases,
  holdAddress,
  leaseHolder,
  leasesFor,
  releaseAddress,
} from '../../../src/store/leases.ts';
import { NaiveLeases } from '../ipam/naive-leases.ts';
import { memoryPairs } from './memory-pairs.ts';
import { idOf } from './records.ts';

const NETWORK = idOf('web');
const SIZE = 12;

interface Step {
  readonly act: 'give' | 'fix' | 'rest' | 'release';
  readonly offset: number;
  readonly untilMs: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom('give', 'give', 'fix', 'rest', 'release'),
  offset: fc.nat({ max: SIZE - 1 }),
  untilMs: fc.nat({ max: 5 }),
});

/** The first addresses of all, the last of all, and some in between, where carries and borders are. */
const block = fc.constantFrom<readonly [Family, bigint]>(
  [4, parsePrefix('10.0.0.0/8').first],
  [4, 0n],
  [4, 2n ** 32n - BigInt(SIZE)],
  [6, parsePrefix('fd00::/64').first],
  [6, 2n ** 128n - BigInt(SIZE)],
  [6, 2n ** 64n - 5n],
);

function apply(pairs: KeyValues, naive: NaiveLeases, address: string, value: bigint, { act, untilMs }: Step): void {
  const endpoint: LeaseHolder = { kind: 'endpoint', endpointId: address };
  switch (act) {
    case 'give':
      holdAddress(pairs, { networkId: NETWORK, address, holder: endpoint, how: 'dynamic' });
      naive.give(value);
      break;
    case 'fix': {
      const { last } = naive;
      holdAddress(pairs, { networkId: NETWORK, address, holder: endpoint, how: 'static' });
      naive.give(value);
      naive.last = last;
      break;
    }
    case 'rest':
      holdAddress(pairs, { networkId: NETWORK, address, holder: { kind: 'quarantine', untilMs }, how: 'static' });
      naive.rest(value, untilMs);
      break;
    case 'release':
      releaseAddress(pairs, NETWORK, address);
      naive.release(value);
      break;
  }
}

describe('leases', () => {
  test('are what a set and a list would say, after any sequence of changes', () => {
    fc.assert(
      fc.property(block, fc.array(step, { maxLength: 60 }), ([family, first], steps) => {
        const pairs = memoryPairs();
        const naive = new NaiveLeases();
        for (const each of steps) {
          const value = first + BigInt(each.offset);
          apply(pairs, naive, formatAddress({ family, value }), value, each);
        }
        const leases = leasesFor(pairs, NETWORK, family);
        for (let value = first; value < first + BigInt(SIZE); value++) {
          expect(leases.takenRunAt(value)).toEqual(naive.takenRunAt(value));
        }
        expect(leases.last).toBe(naive.last);
        expect([...leases.quarantined()]).toEqual([...naive.quarantined()]);
        const held = [...naive.held].sort((a, b) => (a < b ? -1 : 1)).map((value) => formatAddress({ family, value }));
        expect(allLeases(pairs, NETWORK).map(({ address }) => address)).toEqual(held);
      }),
      { numRuns: 300 },
    );
  });

  test('leave nothing behind when the last one goes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const pairs = memoryPairs();
        const naive = new NaiveLeases();
        for (const each of steps) apply(pairs, naive, `10.0.0.${each.offset}`, BigInt(each.offset), each);
        for (let offset = 0; offset < SIZE; offset++) releaseAddress(pairs, NETWORK, `10.0.0.${offset}`);
        for (const table of ['lease', 'run', 'resting']) expect(pairs.under(`${table}/`)).toEqual([]);
      }),
    );
  });

  test('of one network and family are not those of another', () => {
    const pairs = memoryPairs();
    const holder: LeaseHolder = { kind: 'endpoint', endpointId: 'a' };
    holdAddress(pairs, { networkId: NETWORK, address: '10.0.0.2', holder, how: 'dynamic' });
    holdAddress(pairs, { networkId: NETWORK, address: 'fd00::2', holder, how: 'dynamic' });
    holdAddress(pairs, { networkId: idOf('other'), address: '10.0.0.2', holder, how: 'dynamic' });
    forgetLeases(pairs, NETWORK);
    expect(allLeases(pairs, NETWORK)).toEqual([]);
    expect(leasesFor(pairs, NETWORK, 4).last).toBeUndefined();
    expect(leaseHolder(pairs, idOf('other'), '10.0.0.2')).toEqual(holder);
  });

  test('may be taken out of the quarantine while it is walked', () => {
    const pairs = memoryPairs();
    for (const [index, address] of ['10.0.0.9', '10.0.0.3', '10.0.0.5'].entries()) {
      const holder: LeaseHolder = { kind: 'quarantine', untilMs: index * 1000 };
      holdAddress(pairs, { networkId: NETWORK, address, holder, how: 'static' });
    }
    const walked: string[] = [];
    for (const { address: value } of leasesFor(pairs, NETWORK, 4).quarantined()) {
      const address = formatAddress({ family: 4, value });
      walked.push(address);
      releaseAddress(pairs, NETWORK, address);
    }
    expect(walked).toEqual(['10.0.0.9', '10.0.0.3', '10.0.0.5']);
    expect(allLeases(pairs, NETWORK)).toEqual([]);
  });

  test('that somebody on the LAN has rest like others, and are told apart', () => {
    const pairs = memoryPairs();
    const foreign: LeaseHolder = { kind: 'foreign', mac: '02:00:00:00:00:05', untilMs: 2000 };
    holdAddress(pairs, { networkId: NETWORK, address: '10.0.0.9', holder: foreign, how: 'static' });
    const resting: LeaseHolder = { kind: 'quarantine', untilMs: 3000 };
    holdAddress(pairs, { networkId: NETWORK, address: '10.0.0.3', holder: resting, how: 'static' });
    const walked = [...leasesFor(pairs, NETWORK, 4).quarantined()];
    expect(walked.map(({ untilMs, foreign: others = false }) => ({ untilMs, others }))).toEqual([
      { untilMs: 2000, others: true },
      { untilMs: 3000, others: false },
    ]);
    releaseAddress(pairs, NETWORK, '10.0.0.9');
    expect([...leasesFor(pairs, NETWORK, 4).quarantined()]).toHaveLength(1);
  });
});
