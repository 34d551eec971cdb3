import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findJsonFault } from '../../../src/config/json-position.ts';
import { parseDaemonFile, readDaemonFile } from '../../../src/config/read-file.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (text: string): unknown => parseDaemonFile('daemon.json', bytes(text));

describe('syntax errors name line and column', () => {
  test.each([
    ['{"mtu": }', 'daemon.json:1:9: not JSON: expected a value, found "}"'],
    ['{\n  "mtu": 1500,\n}', 'daemon.json:3:1: not JSON: expected a key in double quotes, found "}"'],
    ['{"a": 1 "b": 2}', 'daemon.json:1:9: not JSON: expected "," or "}", found a string'],
    ['{\n  mtu: 1\n}', 'daemon.json:2:3: not JSON: expected a key in double quotes, found "mtu"'],
    ['{"a": [1, 2', 'daemon.json:1:12: not JSON: expected "," or "]", found the end of the file'],
    ['{"a": "b', 'daemon.json:1:7: not JSON: expected a value, found a string that is not closed or has a bad escape'],
    ['{"a": True}', 'daemon.json:1:7: not JSON: expected a value, found "True"'],
    ['{"a": 01}', 'daemon.json:1:7: not JSON: expected a value, found "01"'],
    ['{} {}', 'daemon.json:1:4: not JSON: expected the end of the file, found "{"'],
    ['{"a": 1 // note\n}', 'daemon.json:1:9: not JSON: expected "," or "}", found "//"'],
  ])('%j', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test('what JSON.parse takes has no fault, what it refuses has one', () => {
    const almost = fc
      .tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2 }))
      .map(([json, at, junk]) => json.slice(0, at % (json.length + 1)) + junk + json.slice(at % (json.length + 1)));
    fc.assert(
      fc.property(fc.oneof(fc.json(), almost, fc.string()), (text) => {
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        expect(findJsonFault(text) === undefined).toBe(valid);
      }),
      { numRuns: 2000 },
    );
  });

  test('depth is no danger', () => {
    expect(findJsonFault('['.repeat(200_000))).toMatchObject({ line: 1, column: 200_001 });
  });
});

describe('encodings', () => {
  const text = '{"mtu": 1400}';
  test('UTF-8 with a byte order mark', () => {
    expect(parse(`\ufeff${text}`)).toEqual({ mtu: 1400 });
  });
  test('UTF-16 of both orders', () => {
    const little = Buffer.from(`\ufeff${text}`, 'utf16le');
    expect(parseDaemonFile('x', little)).toEqual({ mtu: 1400 });
    expect(parseDaemonFile('x', Buffer.from(little).swap16())).toEqual({ mtu: 1400 });
  });
  test('bytes that are no text', () => {
    expect(() => parseDaemonFile('x', Uint8Array.of(0x7b, 0xff, 0x7d))).toThrow('x: not UTF-8 text; save it as UTF-8');
  });
});

test.each(['[]', '3', '"x"', 'null'])('%s is not an object', (text) => {
  expect(() => parse(text)).toThrow(/expected a JSON object/);
});

test('a missing file is told apart from an unreadable one', () => {
  expect(readDaemonFile('/nonexistent/daemon.json')).toBeUndefined();
  expect(() => readDaemonFile('/')).toThrow('read /: EISDIR');
});
