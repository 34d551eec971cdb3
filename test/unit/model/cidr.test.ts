import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bitsOf, formatPrefix, parsePrefix, prefixAround } from '../../../src/model/address.ts';
import { readCidr, readInterfaceCidr } from '../../../src/model/cidr.ts';
import { TsnetError } from '../../../src/model/error.ts';

const prefix = fc
  .oneof(
    fc.bigInt(0n, 2n ** 32n - 1n).map((value) => ({ family: 4 as const, value })),
    fc.bigInt(2n ** 64n, 2n ** 128n - 1n).map((value) => ({ family: 6 as const, value })),
  )
  .chain((address) =>
    fc.integer({ min: 0, max: bitsOf(address.family) }).map((length) => prefixAround(address, length)),
  )
  .filter(({ family, first }) => family === 4 || first >> 32n !== 0xffffn);

describe('a typed subnet', () => {
  test('means the same block to ip-cidr and to our arithmetic', () => {
    fc.assert(
      fc.property(prefix, (any) => {
        expect(readCidr(formatPrefix(any))).toEqual(any);
        expect(parsePrefix(formatPrefix(any))).toEqual(any);
      }),
    );
  });

  test('never fails with anything but a TsnetError', () => {
    const near = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef:./%-')) }));
    fc.assert(
      fc.property(near, (text) => {
        for (const read of [readCidr, readInterfaceCidr]) {
          try {
            read(text);
          } catch (error) {
            expect(error).toBeInstanceOf(TsnetError);
          }
        }
      }),
    );
  });

  test.each([
    '10.0.0.0',
    '010.0.0.0/8',
    '10.0.0/8',
    '1.2.3.4/08',
    '10.0.0.0/8/9',
    'fe80::1%eth0/64',
    '::ffff:1.2.3.0/120',
    'hello/8',
  ])('refuses %j', (text) => {
    expect(() => readCidr(text)).toThrow(TsnetError);
  });

  test('may carry host bits only where an address was asked for', () => {
    expect(() => readCidr('192.168.1.5/24')).toThrow('192.168.1.0/24');
    expect(readInterfaceCidr('192.168.1.5/24').prefix).toEqual(parsePrefix('192.168.1.0/24'));
    expect(readInterfaceCidr('2001:db8::5/64').address).toEqual({
      family: 6,
      value: 0x20010db8000000000000000000000005n,
    });
  });
});
