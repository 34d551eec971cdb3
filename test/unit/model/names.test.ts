import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TsnetError } from '../../../src/model/error.ts';
import {
  checkAlias,
  checkLinkName,
  checkNetworkName,
  checkSandboxName,
  nearestName,
} from '../../../src/model/names.ts';

const ID = 'ab'.repeat(32);

describe('a network name', () => {
  test.each(['web', 'a b', 'my/net', 'net:1', 'réseau', '网络', '.', '_x', 'x'.repeat(255)])('may be %j', (name) => {
    expect(checkNetworkName(name)).toBe(name);
  });

  test.each([
    ['', 'empty'],
    ['  ', 'empty'],
    ['a\nb', 'control'],
    ['a\u0000b', 'control'],
    ['a\u0085b', 'control'],
    ['a\u2028b', 'control'],
    ['a\ud800', 'control'],
    ['-web', 'option'],
    ['--help', 'option'],
    [ID, 'id'],
    ['é'.repeat(128), '255 bytes'],
  ])('may not be %j', (name, why) => {
    expect(() => checkNetworkName(name)).toThrow(why);
  });
});

describe('a container name or alias', () => {
  test.each(['a', 'db-1', 'My_App.2', '0'])('may be %j', (name) => {
    expect(checkSandboxName(name)).toBe(name);
    expect(checkAlias(name)).toBe(name);
  });

  test.each(['', '-a', '.a', '_a', 'a b', 'pid:7', '/run/netns/x', 'é', 'a\n', ID, 'x'.repeat(256)])(
    'may not be %j',
    (name) => {
      expect(() => checkSandboxName(name)).toThrow(TsnetError);
      expect(() => checkAlias(name)).toThrow(TsnetError);
    },
  );
});

describe('a wildcard alias', () => {
  test.each(['*.app.test', '*.x'])('may be %j', (name) => {
    expect(checkAlias(name)).toBe(name);
    expect(() => checkSandboxName(name)).toThrow(TsnetError);
  });

  test.each(['*', '*.', '*app.test', 'a.*.test', '*.*.test', '*..test', `*.${'x'.repeat(256)}`])(
    'may not be %j',
    (name) => {
      expect(() => checkAlias(name)).toThrow(TsnetError);
    },
  );
});

describe('an interface name', () => {
  test.each(['eth0', 'x', 'br-0123456789ab', 'tsnet0', 'a.b', 'wlan@1', 'ü'.repeat(7)])('may be %j', (name) => {
    expect(checkLinkName(name)).toBe(name);
  });

  test.each(['', '.', '..', 'a/b', 'a:b', 'a b', 'a\tb', 'eth%d', 'a\u0001', 'x'.repeat(16), 'ü'.repeat(8)])(
    'may not be %j',
    (name) => {
      expect(() => checkLinkName(name)).toThrow(TsnetError);
    },
  );
});

describe('the nearest name', () => {
  const names = ['bridge', 'host', 'none', 'frontend', 'backend'];

  test.each([
    ['brigde', 'bridge'],
    ['Bridge', 'bridge'],
    ['frontnd', 'frontend'],
    ['hots', 'host'],
    ['nonee', 'none'],
  ])('to %s is %s', (wanted, meant) => {
    expect(nearestName(wanted, names)).toBe(meant);
  });

  test.each(['zebra', 'x', '', 'frontend-database'])('to %j is none', (wanted) => {
    expect(nearestName(wanted, names)).toBeUndefined();
  });

  test('to a known name is that name', () => {
    const lower = fc.string({ unit: fc.constantFrom(...Array.from('abcdefgh')), minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.uniqueArray(lower, { minLength: 1, maxLength: 20 }), (many) => {
        for (const name of many) expect(nearestName(name, many)).toBe(name);
      }),
    );
  });
});
