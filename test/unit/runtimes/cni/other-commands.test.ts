/** DEL, CHECK, GC and STATUS: what they ask of the engine, and what they make of its answers. */
import { describe, expect, test } from 'vitest';
import type { SandboxView } from '../../../../src/engine/engine.ts';
import type { FakeEngine } from '../../cli/fake-engine.ts';
import { TsnetError } from '../../../../src/model/error.ts';
import { call, engineWith, WEB } from './plugin-stage.ts';

const CONFIG = { cniVersion: '1.1.0', name: 'pods', type: 'tsnet', network: 'web' };

async function known(id: string, alive: boolean): Promise<SandboxView> {
  const engine = engineWith([WEB]);
  const container = { runtime: 'cni', id, netns: `/run/netns/${id}` } as const;
  const view = await engine.attachContainer({ container, attach: [{ network: WEB.id, interfaceName: 'eth0' }] });
  return { ...view, alive };
}

describe('DEL', () => {
  const leaves = { container: { runtime: 'cni', id: 'c1' }, network: 'web', interfaceName: 'eth0' };

  test('needs neither namespace nor previous result, nor a configuration that an ADD would take', async () => {
    const config = { ...CONFIG, bridge: 'cni0', vlan: 5, ipam: { rangeStart: 'x' }, runtimeConfig: { ips: ['x'] } };
    const { engine, status, stdout } = await call('DEL', { config, env: { CNI_NETNS: '', CNI_ARGS: 'X=y' } });
    expect([status, stdout]).toEqual([0, '']);
    expect(engine.calls).toEqual([['detachContainer', leaves]]);
  });

  test('is of the interface that the configuration names', async () => {
    const { engine } = await call('DEL', { config: { ...CONFIG, interface: 'net1' } });
    expect(engine.calls).toEqual([['detachContainer', { ...leaves, interfaceName: 'net1' }]]);
  });

  test('passes on what is in the way', async () => {
    const engine: FakeEngine = {
      ...engineWith([WEB]),
      detachContainer: () => Promise.reject(new TsnetError('KERNEL', 'no')),
    };
    expect((await call('DEL', { config: CONFIG, engine })).printed).toMatchObject({ code: 105 });
  });

  test('is passed on to another IPAM plugin when the container is off', async () => {
    const order: string[] = [];
    const engine = engineWith([WEB]);
    const watched: typeof engine = {
      ...engine,
      detachContainer: () => {
        order.push('detach');
        return Promise.resolve({ detached: [] });
      },
    };
    const delegate = (_: unknown, command: string): Promise<undefined> => {
      order.push(command);
      return Promise.resolve(undefined);
    };
    await call('DEL', { config: { ...CONFIG, ipam: { type: 'dhcp' } }, engine: watched, delegate });
    expect(order).toEqual(['detach', 'DEL']);
  });
});

describe('CHECK', () => {
  const prevResult = {
    cniVersion: '0.4.0',
    interfaces: [{ name: 'tsn-web' }, { name: 'eth0', sandbox: '/run/netns/c1' }],
    ips: [{ version: '4', address: '10.1.0.5/16', interface: 1 }],
    dns: {},
  };

  async function checked(config: object, found: SandboxView | undefined, drift: readonly unknown[] = []) {
    const engine = engineWith([WEB]);
    return call('CHECK', {
      config: { ...CONFIG, ...config },
      engine: {
        ...engine,
        findContainer: () => Promise.resolve(found),
        checkContainer: () => Promise.resolve(drift as never),
      },
    });
  }

  test('is silent where all is as it was made', async () => {
    expect(await checked({ prevResult }, await known('c1', true))).toMatchObject({ status: 0, stdout: '' });
    expect(await checked({ cniVersion: '0.4.0', prevResult }, await known('c1', true))).toMatchObject({ status: 0 });
  });

  test('needs the previous result', async () => {
    expect((await checked({}, await known('c1', true))).printed).toMatchObject({ code: 7 });
  });

  test('tells of a container that is not known with 3', async () => {
    expect((await checked({ prevResult }, undefined)).printed).toMatchObject({ code: 3 });
    expect((await checked({ prevResult, interface: 'net1' }, await known('c1', true))).printed).toMatchObject({
      code: 3,
    });
  });

  test('tells of an address that is another, and of what the kernel does not have', async () => {
    const ips = [{ address: '10.1.0.6/16', interface: 1 }];
    expect((await checked({ prevResult: { ...prevResult, ips } }, await known('c1', true))).printed).toMatchObject({
      code: 110,
    });
    const drift = [{ state: 'missing', owner: 'x', what: 'veth a ↔ b' }];
    expect((await checked({ prevResult }, await known('c1', true), drift)).printed).toMatchObject({
      code: 110,
      msg: 'container c1: veth a ↔ b: missing',
    });
  });
});

describe('GC', () => {
  async function freed(valid: unknown, key = 'cni.dev/valid-attachments'): Promise<string[]> {
    const views = [await known('alive', true), await known('dead', false), await known('listed', false)];
    const ids: string[] = [];
    const engine = engineWith([WEB]);
    const { status } = await call('GC', {
      config: { ...CONFIG, ...(valid === undefined ? {} : { [key]: valid }) },
      engine: {
        ...engine,
        listSandboxes: () => Promise.resolve(views.map((view) => ({ ...view, alive: true }))),
        findContainer: ({ id }) => Promise.resolve(views.find(({ sandbox }) => sandbox.name === id)),
        detachContainer: ({ container }) => {
          ids.push(container.id);
          return Promise.resolve({ detached: [] });
        },
      },
    });
    expect(status).toBe(0);
    return ids;
  }

  test('frees what is neither named nor alive', async () => {
    expect(await freed([{ containerID: 'listed', ifname: 'eth0' }])).toEqual(['dead']);
    expect(await freed([{ containerID: 'listed', ifname: 'eth0' }], 'cni.dev/attachments')).toEqual(['dead']);
    expect(await freed([{ containerID: 'listed', ifname: 'net1' }])).toEqual(['dead', 'listed']);
  });

  test.each([[[]], [null], [undefined]])('never frees what is alive, with %o for a list', async (valid) => {
    expect(await freed(valid)).toEqual(['dead', 'listed']);
  });

  test('leaves other networks alone', async () => {
    const view = await known('dead', false);
    const { engine } = await call('GC', {
      config: { ...CONFIG, network: 'other' },
      engine: { ...engineWith([WEB]), listSandboxes: () => Promise.resolve([view]) },
    });
    expect(engine.calls).toEqual([]);
  });
});

describe('STATUS', () => {
  test('is fine where the network is there, or can be made', async () => {
    expect((await call('STATUS', { config: CONFIG })).status).toBe(0);
    expect((await call('STATUS', { config: { ...CONFIG, network: undefined }, networks: [] })).status).toBe(0);
  });

  test('is 50 where it is not, and where the engine cannot work', async () => {
    expect((await call('STATUS', { config: CONFIG, networks: [] })).printed).toMatchObject({ code: 50 });
    const engine = engineWith([WEB]);
    engine.state.failure = new TsnetError('PERMISSION', 'open /run/tsnet: be root');
    expect((await call('STATUS', { config: CONFIG, engine })).printed).toMatchObject({ code: 50 });
  });
});
