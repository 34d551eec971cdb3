import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../../src/model/address.ts';
import { TsnetError } from '../../../src/model/error.ts';
import { formatMac, macBytes, macFromAddress, parseMac } from '../../../src/model/mac.ts';

const bytes = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .filter((six) => ((six[0] ?? 0) & 1) === 0 && six.some((byte) => byte !== 0));

describe('a MAC address', () => {
  test('comes back from its text', () => {
    fc.assert(
      fc.property(bytes, (six) => {
        expect(parseMac(formatMac(six))).toBe(formatMac(six));
        expect(macBytes(formatMac(six))).toEqual(six);
      }),
    );
  });

  test.each(['02:42:AC:11:00:02', '02-42-ac-11-00-02', '0242.ac11.0002'])('is read from %s', (text) => {
    expect(parseMac(text)).toBe('02:42:ac:11:00:02');
  });

  test.each([
    '',
    '02:42:ac:11:00',
    '02:42:ac:11:00:02:03',
    '02:42-ac:11:00:02',
    '2:42:ac:11:0:2',
    'zz:42:ac:11:00:02',
    '0242ac110002',
  ])('refuses %j', (text) => {
    expect(() => parseMac(text)).toThrow(TsnetError);
  });

  test('that no link can carry is refused, with the reason', () => {
    expect(() => parseMac('01:00:5e:00:00:01')).toThrow('group address');
    expect(() => parseMac('ff:ff:ff:ff:ff:ff')).toThrow('group address');
    expect(() => parseMac('00:00:00:00:00:00')).toThrow('all zeros');
  });

  test('never fails with anything but a TsnetError', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdefABCDEF:.-')) })),
        (text) => {
          try {
            parseMac(text);
          } catch (error) {
            expect(error).toBeInstanceOf(TsnetError);
          }
        },
      ),
    );
  });
});

describe('the MAC address of an IP address', () => {
  test('is 02:42 and the IPv4 bytes', () => {
    expect(macFromAddress('172.17.0.2')).toBe('02:42:ac:11:00:02');
    expect(macFromAddress('255.255.255.254')).toBe('02:42:ff:ff:ff:fe');
  });

  test('is one that a link can carry', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 128n - 1n), (value) => {
        const mac = macFromAddress(formatAddress({ family: 6, value }));
        expect(parseMac(mac)).toBe(mac);
      }),
    );
  });

  test('differs between any two IPv6 addresses of one /96', () => {
    fc.assert(
      fc.property(fc.bigInt(2n ** 64n, 2n ** 96n - 1n), fc.nat(), fc.nat(), (high, a, b) => {
        fc.pre(a !== b);
        const at = (low: number): string =>
          macFromAddress(formatAddress({ family: 6, value: (high << 32n) | BigInt(low) }));
        expect(at(a)).not.toBe(at(b));
      }),
    );
  });
});
