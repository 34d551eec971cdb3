import { describe, expect, it } from 'vitest';
import { openHosts } from '../../../../src/cluster/hosts.ts';
import { endpointKey, HOSTS, networkKey, networkOfHostKey, registrationKey } from '../../../../src/cluster/keys.ts';
import { openMirror } from '../../../../src/cluster/mirror.ts';
import { clusterHosts } from '../../../../src/daemon/cluster/cluster-hosts.ts';
import { MemoryCluster } from '../../../support/memory-cluster.ts';
import { turnedClock } from '../../cluster/turned-clock.ts';

const NOW = Date.parse('2026-01-01T00:01:00Z');
const valueOf = (id: string, name = id) => ({
  name,
  vtep: `192.168.0.${id.slice(1)}`,
  port: 4789,
  mtu: 1500,
  epoch: id,
});

/** h1 looks at h2 to h5; h6 was here before anybody who lives now. */
async function scene() {
  const cluster = new MemoryCluster();
  const values: Readonly<Record<string, string>> = {
    ...Object.fromEntries(
      ['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((id) => [registrationKey(id), `{"name":"was-${id}"}`]),
    ),
    [networkKey('net')]: '{}',
    [networkOfHostKey('h2', 'net')]: '{}',
    [endpointKey('net', '10.77.0.2')]: JSON.stringify({ mac: '02:42:0a:4d:00:02', host: 'h2', id: 'box', names: [] }),
  };
  cluster.transact({
    expect: [],
    operations: Object.entries(values).map(([key, value]) => ({ kind: 'put', key, value })),
  });
  const store = cluster.host();
  const clock = turnedClock();
  const hosts = openHosts({ self: 'h1', graceMs: 10_000, clock, onChange: () => undefined, onHold: () => undefined });
  for (const id of ['h1', 'h2', 'h3']) hosts.put(id, valueOf(id));
  for (const id of ['h4', 'h5']) hosts.put(id, valueOf(id, 'twin'));
  const mirror = openMirror({ store, prefix: HOSTS, clock, onChanges: () => undefined });
  await mirror.listed;
  const session = await store.openSession(15_000);
  const told: string[] = [];
  const use = clusterHosts({
    store,
    self: 'h1',
    hostList: { hosts, mirror, silentSince: (id) => (id === 'h2' ? NOW - 42_000 : undefined) },
    session: () => session,
    beInTouch: () => undefined,
    networkName: (id) => `network ${id}`,
    log: { info: (_: object, text: string) => void told.push(text), warn: () => undefined, error: () => undefined },
    now: () => NOW,
  });
  return { cluster, store, clock, hosts, use, told, close: () => session.close() };
}

describe('the hosts of a cluster', () => {
  it('are all that are there or were, by the name that they have now', async () => {
    const { use, hosts, clock, close } = await scene();
    hosts.vanished('h2');
    const rows = (await use.hosts()).map(({ id, name, state }) => `${id} ${name} ${state}`);
    expect(rows).toEqual([
      'h1 h1 alive',
      'h2 h2 gone',
      'h3 h3 alive',
      'h4 twin alive',
      'h5 twin alive',
      'h6 was-h6 dead',
    ]);
    // One that was removed while this host was away.
    hosts.put('h7', valueOf('h7'));
    hosts.vanished('h7');
    expect((await use.hosts()).map(({ id }) => id)).toContain('h7');
    clock.turn(120_000);
    hosts.forget('h2');
    clock.turn(10_000);
    expect(hosts.find('h7')?.state).toBe('dead');
    expect((await use.hosts()).map(({ id }) => id)).not.toContain('h7');
    hosts.put('h2', valueOf('h2'));
    expect((await use.hosts())[1]).toMatchObject({
      silentSince: '2026-01-01T00:00:18.000Z',
      networks: [{ network: 'network net', addresses: 1, blocks: [] }],
    });
    await close();
  });

  it('are removed when they are dead, or it is insisted on', async () => {
    const { use, hosts, clock, cluster, told, close } = await scene();
    hosts.vanished('h2');
    await expect(use.removeHost({ host: 'h2' })).rejects.toThrow(/silent for 42 seconds and may be back/);
    // With another one it is missing together with many.
    hosts.vanished('h3');
    clock.turn(10_000);
    await expect(use.removeHost({ host: 'h2' })).rejects.toThrow(/together with many others/);
    expect(await use.removeHost({ host: 'h2', force: true, dryRun: true })).toMatchObject({ id: 'h2' });
    expect(cluster.contents()).toHaveProperty([endpointKey('net', '10.77.0.2')]);
    expect(await use.removeHost({ host: 'h2', force: true })).toEqual({
      id: 'h2',
      name: 'h2',
      networks: [{ network: 'network net', addresses: 1, blocks: [] }],
    });
    expect(cluster.contents()).not.toHaveProperty([endpointKey('net', '10.77.0.2')]);
    expect(hosts.find('h2')).toBeUndefined();
    expect(told).toEqual(['a host was removed from the cluster by hand']);
    expect(await use.removeHost({ host: 'was-h6' })).toMatchObject({ id: 'h6', networks: [] });
    await close();
  });

  it('are not removed by a name that two have, nor while nobody knows who is there', async () => {
    const { use, store, close } = await scene();
    await expect(use.removeHost({ host: 'twin' })).rejects.toMatchObject({
      code: 'AMBIGUOUS',
      message: expect.stringContaining('h4 (192.168.0.4, alive), h5 (192.168.0.5, alive)') as string,
    });
    await expect(use.removeHost({ host: 'h' })).rejects.toMatchObject({ code: 'AMBIGUOUS' });
    await expect(use.removeHost({ host: 'nobody' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(use.removeHost({ host: 'h1', force: true })).rejects.toThrow(/this host/);
    await expect(use.removeHost({ host: 'h3', force: true })).rejects.toThrow(/it is alive/);
    store.cut('refused');
    await expect(use.removeHost({ host: 'h6' })).rejects.toMatchObject({ code: 'RUNTIME' });
    await expect(use.hosts()).rejects.toMatchObject({ code: 'RUNTIME' });
    store.heal();
    await close();
  });
});
