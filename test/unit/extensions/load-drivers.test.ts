import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadDrivers, type LoadedDrivers } from '../../../src/extensions/load-drivers.ts';
import type { Driver } from '../../../src/plan/driver.ts';
import { sampleEndpoint, sampleInput, sampleNetwork } from '../../../src/public/samples.ts';

/** The source of a driver that keeps the contract, in the form that needs no package of ours beside it. */
function source(change = ''): string {
  return `({ defineDriver, TsnetError }) => defineDriver({
    name: 'lan', api: 1, scope: 'local', ipam: 'pools',
    options: { type: 'object', properties: {}, additionalProperties: false }, aliases: {},
    parseSettings: (settings) => settings,
    configure: () => ({}),
    endpointDefaults: () => ({ interfacePrefix: 'eth', publishAddress: '0.0.0.0', refusesPorts: 'no' }),
    networkPlan: () => [],
    endpointPlan: () => [],
    ${change}
  })`;
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'tsnet-drivers-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function write(file: string, text: string): string {
  mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
  writeFileSync(path.join(folder, file), text);
  return path.join(folder, file);
}

function load(...drivers: readonly string[]): LoadedDrivers {
  return loadDrivers({ drivers, folder, builtIn: ['bridge'] });
}

function loadOne(text: string): Driver {
  write('lan.cjs', `module.exports = ${text}`);
  const { usable, unusable } = load('./lan.cjs');
  if (usable[0] === undefined) throw unusable[0]?.error ?? new Error('nothing loaded');
  return usable[0].driver;
}

describe('drivers of daemon.json', () => {
  it.each<[string, string, string, string]>([
    ['an ES module beside the file', './lan.mjs', 'lan.mjs', 'export default '],
    ['a CommonJS module beside the file', './lan.cjs', 'lan.cjs', 'module.exports = '],
    ['a package', 'tsnet-driver-lan', 'node_modules/tsnet-driver-lan/index.js', 'module.exports = '],
    ['a package of a scope', '@me/lan', 'node_modules/@me/lan/index.js', 'exports.default = '],
  ])('are loaded from %s', (_what, name, file, prefix) => {
    write(file, `${prefix}${source()}`);
    expect(load(name)).toMatchObject({ usable: [{ source: name, driver: { name: 'lan' } }], unusable: [] });
  });

  it('are loaded from an absolute path, and import tsnet/driver where it is installed', () => {
    write('node_modules/tsnet/package.json', '{ "name": "tsnet", "exports": { "./driver": "./driver.js" } }');
    write(
      'node_modules/tsnet/driver.js',
      "exports.defineDriver = (d) => ({ ...d, [Symbol.for('tsnet.driver')]: true });",
    );
    const file = write('lan.mjs', `import * as api from 'tsnet/driver'; export default (${source()})(api);`);
    expect(load(file).usable).toMatchObject([{ source: file, driver: { name: 'lan' } }]);
  });

  it.each<[string, string, RegExp]>([
    ['speaks another API', `module.exports = ${source('api: 2')}`, /speaks driver API 2 and this tsnet speaks 1; use/],
    ['was not made by defineDriver', "module.exports = { name: 'lan', api: 1 }", /exports no driver; .*defineDriver/],
    ['has no name', `module.exports = ${source('name: undefined')}`, /its name is undefined; a driver needs/],
    [
      'has the name of a built-in one',
      `module.exports = ${source("name: 'bridge'")}`,
      /that of a built-in driver; rename/,
    ],
    ['lacks a planner', `module.exports = ${source('configure: 7')}`, /configure must be a function/],
    ['has options that are no schema', `module.exports = ${source('options: {}')}`, /options are no JSON Schema/],
    ['throws', "throw new Error('cannot')", /failed while it was loaded \(Error: cannot\); mend/],
    ['does not parse', 'module.exports = {', /failed while it was loaded \(SyntaxError/],
    ['imports what is not there', "require('left-pad')", /Cannot find module 'left-pad'; mend the path/],
    ['imports tsnet, which is not beside it', "require('tsnet/driver')", /not installed beside it; npm install/],
  ])('that one which %s is refused in one line, and the others are used', (_what, text, message) => {
    write('bad.cjs', text);
    write('good.cjs', `module.exports = ${source("name: 'good'")}`);
    const { usable, unusable } = load('./bad.cjs', './good.cjs');
    expect(usable).toMatchObject([{ source: './good.cjs', driver: { name: 'good' } }]);
    expect(unusable).toMatchObject([{ source: './bad.cjs', error: { code: 'DRIVER' } }]);
    expect(unusable[0]?.error.message).toMatch(message);
    expect(unusable[0]?.error.message).toMatch(/^load driver \.\/bad\.cjs: [^\n]+$/);
  });

  it('are refused where they wait at their top level, and where there is no such file', () => {
    write('slow.mjs', `await 0; export default ${source()}`);
    const { unusable } = load('./slow.mjs', './none.js');
    expect(unusable.map(({ error }) => error.message)).toEqual([
      'load driver ./slow.mjs: it waits at its top level; a driver must be there at once',
      expect.stringMatching(/^load driver \.\/none\.js: .*Cannot find module.*; mend the path/),
    ]);
  });

  it('of one name: the first is used', () => {
    write('a.cjs', `module.exports = ${source()}`);
    write('b.cjs', `module.exports = ${source()}`);
    const { usable, unusable } = load('./a.cjs', './b.cjs');
    expect(usable).toMatchObject([{ source: './a.cjs' }]);
    expect(unusable[0]?.error.message).toMatch(/its name "lan" is that of \.\/a\.cjs; rename it/);
  });
});

describe('a driver of others', () => {
  const configured = (text: string): unknown => {
    const driver = loadOne(text);
    return driver.configure(sampleInput(driver));
  };
  it.each<[string, string, object]>([
    [
      'throws in configure',
      "configure: () => { throw new TypeError('x is undefined') }",
      {
        code: 'DRIVER',
        message: expect.stringMatching(
          /^create network web: driver lan \(\.\/lan\.cjs\) failed in configure \(TypeError: x is undefined\); nothing was made$/,
        ) as string,
      },
    ],
    [
      'answers a promise',
      'configure: async () => ({})',
      { code: 'DRIVER', message: expect.stringMatching(/a promise/) as string },
    ],
    [
      'answers what is no JSON',
      'configure: () => ({ at: new Date() })',
      { code: 'DRIVER', message: expect.stringMatching(/settings/) as string },
    ],
    [
      'refuses',
      "configure: () => { throw new TsnetError('FORBIDDEN', 'no, do this') }",
      { code: 'FORBIDDEN', message: 'no, do this' },
    ],
    [
      'refuses with its own copy of our error',
      "configure: () => { throw Object.assign(new Error('no'), { name: 'TsnetError', code: 'FORBIDDEN' }) }",
      { code: 'FORBIDDEN', message: 'no' },
    ],
  ])('that %s is told so', (_what, change, error) => {
    expect(() => configured(source(change))).toThrow(expect.objectContaining(error) as Error);
  });

  it('cannot change the records it is shown', () => {
    const driver = loadOne(source('configure: ({ draft }) => { draft.options.x = 1; return {} }'));
    const input = sampleInput(driver);
    // Not strict: the write is lost without a word.
    expect(driver.configure(input)).toEqual({});
    expect(input.draft.options).toEqual({});
  });

  it('whose plan touches what is not its own is refused, naming it', () => {
    const driver = loadOne(
      source("endpointPlan: () => [{ kind: 'address', place: 'host', link: 'eth0', address: '10.9.0.1/24' }]"),
    );
    const network = sampleNetwork(driver);
    expect(() => driver.endpointPlan(network, sampleEndpoint(driver, network))).toThrow(
      /driver lan \(\.\/lan\.cjs\) gave a plan that cannot be used: address 10\.9\.0\.1\/24 on eth0: eth0 is a link that .*; nothing was made/,
    );
  });

  it('that gives no names for interfaces is refused', () => {
    const driver = loadOne(source('endpointDefaults: () => ({})'));
    expect(() => driver.endpointDefaults(sampleNetwork(driver))).toThrow(/interfacePrefix/);
  });
});
