/** Which calls are carried out, and what stands on standard output. */
import { describe, expect, test } from 'vitest';
import { TsnetError } from '../../../../src/model/error.ts';
import { CNI_VERSIONS } from '../../../../src/runtimes/cni/spec-version.ts';
import { call, engineWith, WEB } from './plugin-stage.ts';

const CONFIG = { cniVersion: '1.1.0', name: 'pods', type: 'tsnet', network: 'web' };

describe('VERSION', () => {
  test('is answered whatever else the environment says', async () => {
    const env = { CNI_CONTAINERID: '', CNI_IFNAME: 'dummy', CNI_NETNS: 'dummy', CNI_PATH: 'dummy' };
    const { status, printed } = await call('VERSION', { config: '{"cniVersion":"9.9.9"}', env });
    expect(status).toBe(0);
    expect(printed).toEqual({ cniVersion: '1.1.0', supportedVersions: [...CNI_VERSIONS] });
  });
});

test('without a command it says on standard error what it is', async () => {
  for (const command of [undefined, '']) {
    const { status, stdout, log } = await call(command, { config: '' });
    expect([status, stdout]).toEqual([0, '']);
    expect(log.join()).toContain('1.1.0');
  }
});

describe('the environment', () => {
  test('names everything that a command needs and does not have', async () => {
    const { status, printed } = await call('ADD', { config: CONFIG, env: { CNI_NETNS: '', CNI_PATH: undefined } });
    expect(status).toBe(1);
    expect(printed).toMatchObject({ code: 4, msg: 'required env variables [CNI_NETNS,CNI_PATH] missing' });
  });

  test.each([
    ['ADD', { CNI_CONTAINERID: '-x' }],
    ['ADD', { CNI_CONTAINERID: 'a/b' }],
    ['DEL', { CNI_IFNAME: 'a/b' }],
    ['DEL', { CNI_IFNAME: 'sixteen-letters-' }],
    ['DEL', { CNI_IFNAME: '..' }],
    ['ADD', { CNI_ARGS: 'IP' }],
    ['RESET', {}],
  ])('%s with %o is refused', async (command, env) => {
    expect((await call(command, { config: CONFIG, env })).printed).toMatchObject({ code: 4 });
  });

  test('DEL and GC need no namespace, and a container only where one is meant', async () => {
    expect((await call('DEL', { config: CONFIG, env: { CNI_NETNS: '' } })).status).toBe(0);
    const empty = { CNI_CONTAINERID: '', CNI_NETNS: '', CNI_IFNAME: '', CNI_ARGS: '' };
    expect((await call('GC', { config: CONFIG, env: empty })).status).toBe(0);
    expect((await call('STATUS', { config: CONFIG, env: empty })).status).toBe(0);
  });

  test('a namespace that is none, or the plugin’s own, is refused with 8', async () => {
    for (const netns of ['none', 'ours'] as const) {
      expect((await call('ADD', { config: CONFIG, netns })).printed).toMatchObject({ code: 8 });
    }
    expect((await call('ADD', { config: CONFIG, netns: 'ours', env: { CNI_NETNS_OVERRIDE: 'true' } })).status).toBe(0);
  });
});

describe('the configuration', () => {
  test.each([
    ['{', 6],
    ['', 6],
    ['[]', 6],
    ['null', 6],
    [{ ...CONFIG, name: undefined }, 7],
    [{ ...CONFIG, name: 'a b' }, 7],
    [{ ...CONFIG, name: 7 }, 6],
    [{ ...CONFIG, cniVersion: '1.2.0' }, 1],
    [{ ...CONFIG, cniVersion: 1 }, 6],
    [{ ...CONFIG, runtimeConfig: [] }, 6],
    [{ ...CONFIG, interface: 'a/b' }, 7],
    [{ ...CONFIG, ipam: { type: '../host-local' } }, 7],
  ])('%o is refused with %i', async (config, code) => {
    expect((await call('ADD', { config })).printed).toMatchObject({ code });
  });

  test('commands that its version does not have are refused with 1', async () => {
    for (const [command, cniVersion] of [
      ['CHECK', '0.3.1'],
      ['GC', '1.0.0'],
      ['STATUS', '1.0.0'],
      ['CHECK', undefined],
    ]) {
      const { printed } = await call(command, { config: { ...CONFIG, cniVersion } });
      expect(printed).toMatchObject({ code: 1, cniVersion: cniVersion ?? '0.1.0' });
    }
  });

  test('keys that nobody knows, capabilities among them, are nobody’s business', async () => {
    const config = { ...CONFIG, capabilities: { portMappings: true }, 'x-y': { z: [] }, ipam: {} };
    expect((await call('ADD', { config })).status).toBe(0);
  });
});

describe('errors', () => {
  test('of the engine have the code of the one table, and their causes as details', async () => {
    const engine = engineWith([WEB]);
    engine.state.failure = new TsnetError('PORT_TAKEN', 'publish 80: taken', { cause: new Error('by nginx') });
    expect((await call('ADD', { config: CONFIG, engine })).printed).toEqual({
      cniVersion: '1.1.0',
      code: 103,
      msg: 'publish 80: taken',
      details: 'by nginx',
    });
  });

  test('a network that is not there is a matter of the configuration', async () => {
    const { printed } = await call('ADD', { config: CONFIG, networks: [] });
    expect(printed).toMatchObject({ code: 7, msg: 'network web not found' });
  });
});
