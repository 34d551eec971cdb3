import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bitsOf,
  broadcastOf,
  canonicalAddress,
  contains,
  containsPrefix,
  familyOf,
  formatAddress,
  formatInterface,
  formatPrefix,
  hostPrefix,
  isAddress,
  networkOf,
  overlaps,
  parseAddress,
  parseInterface,
  parsePrefix,
  prefixAround,
  withoutLength,
  type Address,
  type Prefix,
} from '../../../src/model/address.ts';
import { TsnetError } from '../../../src/model/error.ts';

const address4 = fc.bigInt(0n, 2n ** 32n - 1n).map((value): Address => ({ family: 4, value }));
// Sparse words, so that runs of zeros of every length appear.
const word = fc.oneof(fc.constant(0n), fc.bigInt(0n, 0xffffn));
const address6 = fc
  .array(word, { minLength: 8, maxLength: 8 })
  .map((words): Address => ({ family: 6, value: words.reduce((value, next) => (value << 16n) | next, 0n) }))
  .filter(({ value }) => value >> 32n !== 0xffffn);
const address = fc.oneof(address4, address6);
const prefix: fc.Arbitrary<Prefix> = address.chain((any) =>
  fc.integer({ min: 0, max: bitsOf(any.family) }).map((length) => prefixAround(any, length)),
);
/** What looks like an address, more often than not. */
const nearAddress = fc.oneof(
  fc.string(),
  fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdefABCDEF:./%- x')) }),
  fc.tuple(address, fc.string()).map(([any, tail]) => formatAddress(any) + tail),
);

describe('an address', () => {
  test('comes back from its text', () => {
    fc.assert(
      fc.property(address, (any) => {
        expect(parseAddress(formatAddress(any))).toEqual(any);
      }),
    );
  });

  test('is read as Node reads it, wherever Node reads one', () => {
    fc.assert(
      fc.property(nearAddress, (text) => {
        fc.pre(!text.includes('%'));
        expect(isAddress(text)).toBe(isIP(text) !== 0);
      }),
    );
  });

  test('never fails with anything but a TsnetError', () => {
    fc.assert(
      fc.property(nearAddress, (text) => {
        for (const parse of [parseAddress, parseInterface, parsePrefix]) {
          try {
            parse(text);
          } catch (error) {
            expect(error).toBeInstanceOf(TsnetError);
            expect((error as TsnetError).code).toBe('INVALID');
          }
        }
      }),
    );
  });

  test.each([
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::1', '::1'],
    ['fe80::', 'fe80::'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('prints %s as RFC 5952 does: %s', (typed, canonical) => {
    expect(canonicalAddress(typed)).toBe(canonical);
  });

  test('that is IPv4-mapped is the IPv4 address', () => {
    expect(canonicalAddress('::ffff:10.0.0.1')).toBe('10.0.0.1');
    expect(canonicalAddress('::FFFF:a00:1')).toBe('10.0.0.1');
    expect(formatAddress({ family: 6, value: 0xffff0a000001n })).toBe('::ffff:10.0.0.1');
  });

  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.04',
    '0x1.2.3.4',
    '256.1.1.1',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.-4',
    '१.2.3.4',
    '16909060',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    '12345::',
    '::g',
    'fe80::1%eth0',
    '[::1]',
    '1.2.3.4::',
    '::1.2.3',
    '::ffff:01.2.3.4',
  ])('refuses %j', (text) => {
    expect(() => parseAddress(text)).toThrow(TsnetError);
  });

  test('is named in the refusal, with an example of what was expected', () => {
    expect(() => parseAddress('10.0.0')).toThrow('"10.0.0" is not an IP address; expected one such as 192.0.2.7');
  });
});

describe('a prefix', () => {
  test('comes back from its text', () => {
    fc.assert(
      fc.property(prefix, (any) => {
        // ::ffff:0:0/96 and what lies in it has no text of its own: it reads as IPv4.
        fc.pre(any.family === 4 || any.first >> 32n !== 0xffffn);
        expect(parsePrefix(formatPrefix(any))).toEqual(any);
      }),
    );
  });

  test('holds exactly the addresses from its first to its last', () => {
    fc.assert(
      fc.property(prefix, address, (any, other) => {
        const { family, first, last, length } = any;
        expect(last - first + 1n).toBe(1n << BigInt(bitsOf(family) - length));
        expect(contains(any, { family, value: first })).toBe(true);
        expect(contains(any, { family, value: last })).toBe(true);
        expect(contains(any, { family, value: last + 1n })).toBe(false);
        expect(contains(any, { family, value: first - 1n })).toBe(false);
        expect(contains(any, other)).toBe(other.family === family && prefixAround(other, length).first === first);
      }),
    );
  });

  test('overlaps another only when one contains the other', () => {
    fc.assert(
      fc.property(prefix, prefix, (a, b) => {
        expect(overlaps(a, b)).toBe(containsPrefix(a, b) || containsPrefix(b, a));
        expect(overlaps(a, b)).toBe(overlaps(b, a));
        expect(overlaps(a, a)).toBe(true);
      }),
    );
  });

  test('overlaps the prefixes around it', () => {
    fc.assert(
      fc.property(prefix, fc.nat({ max: 128 }), (inner, less) => {
        const outer = prefixAround({ family: inner.family, value: inner.first }, Math.max(0, inner.length - less));
        expect(containsPrefix(outer, inner)).toBe(true);
        expect(overlaps(inner, outer)).toBe(true);
      }),
    );
  });

  test('with host bits set is refused, and the message has the one that was meant', () => {
    expect(() => parsePrefix('192.168.1.5/24')).toThrow('"192.168.1.5/24" is not a subnet');
    expect(() => parsePrefix('192.168.1.5/24')).toThrow('192.168.1.0/24');
    expect(() => parsePrefix('fd00::1/64')).toThrow('fd00::/64');
  });

  test.each([
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/+8',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    'fd00::/129',
    '/8',
    '::ffff:10.0.0.0/104',
  ])('refuses %j', (text) => {
    expect(() => parsePrefix(text)).toThrow(TsnetError);
  });

  test('has a broadcast address from /0 to /30 in IPv4 only', () => {
    const broadcast = (text: string): string | undefined => {
      const found = broadcastOf(parsePrefix(text));
      return found && formatAddress(found);
    };
    expect(broadcast('10.1.0.0/16')).toBe('10.1.255.255');
    expect(broadcast('10.1.0.0/30')).toBe('10.1.0.3');
    expect(broadcast('10.1.0.0/31')).toBeUndefined();
    expect(broadcast('10.1.0.0/32')).toBeUndefined();
    expect(broadcast('fd00::/64')).toBeUndefined();
  });
});

describe('an interface address', () => {
  test('keeps its host bits', () => {
    fc.assert(
      fc.property(address, fc.nat({ max: 128 }), (any, bits) => {
        const length = Math.min(bits, bitsOf(any.family));
        const read = parseInterface(`${formatAddress(any)}/${length}`);
        expect(read).toEqual({ address: any, prefix: prefixAround(any, length) });
        expect(parseInterface(formatInterface(read))).toEqual(read);
      }),
    );
  });

  test('leads to its network and to its bare address', () => {
    expect(networkOf('192.168.1.5/25')).toBe('192.168.1.0/25');
    expect(networkOf('fd00::5:1/112')).toBe('fd00::5:0/112');
    expect(withoutLength('192.168.1.5/24')).toBe('192.168.1.5');
    expect(withoutLength('192.168.1.5')).toBe('192.168.1.5');
  });

  test('of one host has the longest length of its family', () => {
    expect(hostPrefix('10.0.0.1')).toBe('10.0.0.1/32');
    expect(hostPrefix('fd00::1')).toBe('fd00::1/128');
    expect([familyOf('10.0.0.0/8'), familyOf('fd00::1')]).toEqual([4, 6]);
  });
});
