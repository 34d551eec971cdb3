import fc from 'fast-check';
import { isIPv4, isIPv6 } from 'node:net';
import { describe, expect, test } from 'vitest';
import { addressBytes, addressText, broadcastBytes, prefixBytes } from '../../../src/kernel/address-bytes.ts';

describe('addresses', () => {
  test.each([
    ['172.17.0.2', 'ac110002'],
    ['0.0.0.0', '00000000'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['fd00::2', 'fd000000000000000000000000000002'],
    ['2001:db8:0:1::', '20010db8000000010000000000000000'],
  ])('%s is %s on the wire and back', (text, hex) => {
    expect(addressBytes(text).toString('hex')).toBe(hex);
    expect(addressText(Buffer.from(hex, 'hex'))).toBe(text);
  });

  test('any bytes are an address, and those of its text but for IPv4-mapped ones', () => {
    const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
      fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(fc.oneof(bytesOf(4), bytesOf(16)), (raw) => {
        const text = addressText(Buffer.from(raw));
        expect(raw.length === 4 ? isIPv4(text) : isIPv6(text)).toBe(true);
        fc.pre(!text.startsWith('::ffff:'));
        expect(addressBytes(text)).toEqual(Buffer.from(raw));
      }),
    );
  });

  test('bytes of any other length have no text', () => {
    expect(addressText(Buffer.alloc(0))).toBe('');
    expect(addressText(Buffer.alloc(6))).toBe('');
  });
});

describe('prefixes', () => {
  test('keep their host bits', () => {
    expect(prefixBytes('172.17.0.2/16')).toEqual({ family: 4, bytes: Buffer.of(172, 17, 0, 2), length: 16 });
    expect(prefixBytes('::/0')).toEqual({ family: 6, bytes: Buffer.alloc(16), length: 0 });
  });

  test.each(['172.17.0.2', '172.17.0.2/33', '::/129', '::/x', '::/'])('%s is none', (text) => {
    expect(() => prefixBytes(text)).toThrow(expect.objectContaining({ code: 'INVALID' }));
  });

  test.each([
    ['172.17.0.2/16', '172.17.255.255'],
    ['10.0.0.1/30', '10.0.0.3'],
    ['10.0.0.1/31', undefined],
    ['10.0.0.1/32', undefined],
    ['fd00::2/64', undefined],
  ])('%s broadcasts to %s', (prefix, broadcast) => {
    const bytes = broadcastBytes(prefixBytes(prefix));
    expect(bytes === undefined ? undefined : addressText(bytes)).toBe(broadcast);
  });
});
