import fc from 'fast-check';
import { isIPv4, isIPv6 } from 'node:net';
import { describe, expect, test } from 'vitest';
import {
  addressBytes,
  addressText,
  broadcastBytes,
  macBytes,
  macText,
  parsePrefix,
} from '../../../src/kernel/address-bytes.ts';

describe('addresses', () => {
  test.each([
    ['172.17.0.2', 'ac110002'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['fd00::2', 'fd000000000000000000000000000002'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['2001:db8:0:1::', '20010db8000000010000000000000000'],
    ['::ffff:10.0.0.1', '00000000000000000000ffff0a000001'],
  ])('%s is %s on the wire and back', (text, hex) => {
    expect(addressBytes(text).toString('hex')).toBe(hex);
    expect(addressText(Buffer.from(hex, 'hex'))).toBe(text);
  });

  test.each([
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['FD00:0:0::0A', 'fd00::a'],
  ])('%s is written %s (RFC 5952)', (text, canonical) => {
    expect(addressText(addressBytes(text))).toBe(canonical);
  });

  test('any bytes survive the way to text and back', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 })),
        (raw) => {
          const bytes = Buffer.from(raw);
          const text = addressText(bytes);
          expect(raw.length === 4 ? isIPv4(text) : isIPv6(text)).toBe(true);
          expect(addressBytes(text)).toEqual(bytes);
        },
      ),
    );
  });

  test.each(['', '1.2.3', 'fe80::1%eth0', 'host', '1.2.3.4/8'])('"%s" is a bug of ours', (text) => {
    expect(() => addressBytes(text)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });

  test('bytes of any other length have no text', () => {
    expect(addressText(Buffer.alloc(0))).toBe('');
  });
});

describe('prefixes', () => {
  test('are parsed with their length', () => {
    expect(parsePrefix('172.17.0.2/16')).toEqual({ family: 4, bytes: Buffer.of(172, 17, 0, 2), length: 16 });
    expect(parsePrefix('::/0')).toEqual({ family: 6, bytes: Buffer.alloc(16), length: 0 });
  });

  test.each(['172.17.0.2', '172.17.0.2/33', '::/129', '::/x', '::/'])('%s is a bug of ours', (text) => {
    expect(() => parsePrefix(text)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });

  test.each([
    ['172.17.0.2/16', '172.17.255.255'],
    ['10.0.0.1/30', '10.0.0.3'],
    ['10.0.0.1/0', '255.255.255.255'],
    ['10.0.0.1/32', '10.0.0.1'],
  ])('%s broadcasts to %s', (prefix, broadcast) => {
    expect(addressText(broadcastBytes(parsePrefix(prefix)))).toBe(broadcast);
  });
});

test('MAC addresses go to bytes and back', () => {
  expect(macBytes('02:42:AC:11:00:02')).toEqual(Buffer.of(2, 0x42, 0xac, 0x11, 0, 2));
  expect(macText(macBytes('02:42:AC:11:00:02'))).toBe('02:42:ac:11:00:02');
  expect(() => macBytes('02:42')).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  expect(() => macBytes('02:42:zz:11:00:02')).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
});
