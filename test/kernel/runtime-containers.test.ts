/** What the plugins of runtimes stand on: containers attached and detached by their runtime's id. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { remoteEngine } from '../../src/client/remote-engine.ts';
import type { AttachContainerRequest, Engine } from '../../src/engine/engine.ts';
import { startDaemon } from '../support/daemon.ts';
import { Lab, type Host, type Namespace } from '../support/lab.ts';

let lab: Lab;
let host: Host;
let engine: Engine;
beforeEach(async () => {
  lab = new Lab();
  host = lab.host();
  engine = remoteEngine((await startDaemon(host)).socket);
  await host.mustTsnet(['create', '--subnet', '10.9.0.0/24', 'web']);
  await host.mustTsnet(['create', '--subnet', '10.8.0.0/24', 'db']);
});
afterEach(() => {
  lab.close();
});

const ID = 'cni-0a1b2c';

function pod(netns: Namespace, name?: string): AttachContainerRequest['container'] {
  return { runtime: 'cni', id: ID, netns: netns.path, ...(name === undefined ? {} : { name }) };
}

describe('a container of a runtime', () => {
  it('is attached to several networks at once, and found by its id', async () => {
    const netns = lab.namespace('c');
    const made = await engine.attachContainer({
      container: pod(netns, 'shop'),
      attach: [{ network: 'web', ports: ['8080:80'] }, { network: 'db' }],
    });
    expect(made.endpoints.map(({ networkName, interfaceName }) => [networkName, interfaceName])).toEqual([
      ['web', 'eth0'],
      ['db', 'eth1'],
    ]);
    await netns.must('ping', ['-c1', '-W2', '10.8.0.1']);
    expect(await engine.findContainer({ runtime: 'cni', id: ID })).toMatchObject({
      alive: true,
      sandbox: { name: 'shop', origin: { kind: 'cni', id: ID } },
    });
    expect(await engine.findContainer({ runtime: 'oci', id: ID })).toBeUndefined();
    expect(await host.mustTsnet(['ps'])).toContain(`cni:${ID}`);
  });

  it('is attached to all of its networks or to none', async () => {
    const netns = lab.namespace('c');
    await expect(
      engine.attachContainer({
        container: pod(netns),
        attach: [{ network: 'web' }, { network: 'db', ip: '10.77.0.1' }],
      }),
    ).rejects.toThrow(/10\.77\.0\.1/);
    expect(await engine.listSandboxes()).toEqual([]);
    expect(await netns.must('ip', ['-o', 'link'])).not.toContain('eth0');
    await expect(engine.attachContainer({ container: pod(netns), attach: [{ network: 'no' }] })).rejects.toThrow(
      /network no not found/,
    );
  });

  it('is one sandbox, when its networks are attached by calls at the same time', async () => {
    const netns = lab.namespace('c');
    const [web, db] = await Promise.all(
      ['web', 'db'].map((network, index) =>
        engine.attachContainer({ container: pod(netns), attach: [{ network, interfaceName: `eth${index}` }] }),
      ),
    );
    expect(web?.sandbox.id).toBe(db?.sandbox.id);
    expect(await engine.listSandboxes()).toHaveLength(1);
  });

  it('leaves by network, by interface, or altogether, any number of times', async () => {
    const netns = lab.namespace('c');
    const container = pod(netns);
    const networks = async (): Promise<string[]> =>
      (await engine.findContainer({ runtime: 'cni', id: ID }))?.endpoints.map(({ networkName }) => networkName) ?? [];
    await engine.attachContainer({ container, attach: [{ network: 'web' }, { network: 'db' }] });
    await engine.detachContainer({ container: { runtime: 'cni', id: ID }, network: 'web' });
    expect(await networks()).toEqual(['db']);
    await engine.attachContainer({ container, attach: [{ network: 'web', interfaceName: 'net7' }] });
    await engine.detachContainer({ container: { runtime: 'cni', id: ID }, interfaceName: 'net7' });
    expect(await networks()).toEqual(['db']);
    for (const left of [1, 0, 0]) {
      const { detached } = await engine.detachContainer({ container: { runtime: 'cni', id: ID } });
      expect(detached).toHaveLength(left);
    }
    expect(await engine.listSandboxes()).toEqual([]);
  });

  it('leaves when its namespace is gone', async () => {
    const netns = lab.namespace('c');
    await engine.attachContainer({ container: pod(netns), attach: [{ network: 'web', ports: ['8080:80'] }] });
    netns.close();
    await engine.detachContainer({ container: { runtime: 'cni', id: ID } });
    expect(await engine.listSandboxes()).toEqual([]);
    expect(await host.mustTsnet(['port'])).not.toContain('8080');
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('is let go of by any number of calls at once, while the daemon sees it die', async () => {
    for (let round = 0; round < 5; round += 1) {
      const netns = lab.namespace('c');
      await engine.attachContainer({
        container: pod(netns),
        attach: [{ network: 'web', ports: ['8080:80'] }, { network: 'db' }],
      });
      netns.close();
      const calls = Array.from({ length: 8 }, () => engine.detachContainer({ container: { runtime: 'cni', id: ID } }));
      await expect(Promise.all(calls)).resolves.toHaveLength(8);
      expect(await engine.listSandboxes()).toEqual([]);
    }
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('comes again with another namespace when the first has died', async () => {
    const first = lab.namespace('a');
    await engine.attachContainer({ container: pod(first, 'shop'), attach: [{ network: 'web' }] });
    const second = lab.namespace('b');
    await expect(engine.attachContainer({ container: pod(second), attach: [{ network: 'web' }] })).rejects.toThrow(
      /known with another namespace/,
    );
    first.close();
    const again = await engine.attachContainer({ container: pod(second, 'shop'), attach: [{ network: 'web' }] });
    expect(again.sandbox.name).toBe('shop');
  });

  it('is told from another of its name by its id', async () => {
    const [a, b] = [lab.namespace('a'), lab.namespace('b')];
    await engine.attachContainer({ container: pod(a, 'shop'), attach: [{ network: 'web' }] });
    const other = { runtime: 'oci', id: 'f'.repeat(64), netns: b.path, name: 'shop' } as const;
    const { sandbox } = await engine.attachContainer({ container: other, attach: [{ network: 'web' }] });
    expect(sandbox.name).toBe(`shop-${'f'.repeat(12)}`);
  });

  it('takes over the namespace that somebody connected by its path', async () => {
    const netns = lab.namespace('c');
    await host.mustTsnet(['connect', 'web', netns.path]);
    await engine.attachContainer({ container: pod(netns), attach: [{ network: 'db' }] });
    await engine.detachContainer({ container: { runtime: 'cni', id: ID } });
    expect(await engine.listSandboxes()).toEqual([]);
    await expect(
      engine.attachContainer({ container: { runtime: 'oci', id: 'x', netns: '/proc/self/ns/net' }, attach: [] }),
    ).rejects.toThrow();
  });
});
