import { describe, expect, test } from 'vitest';
import { describeClusterStore } from '../../../support/cluster-store-suite.ts';
import { until } from '../../../support/lab.ts';
import { MemoryCluster } from '../../../support/memory-cluster.ts';
import { StoreMirror } from '../../../support/store-mirror.ts';

const shared = new MemoryCluster();
describeClusterStore(
  'memory',
  { start: () => Promise.resolve(), open: () => shared.host(), stop: () => Promise.resolve() },
  100,
);

describe('the faults of the store in memory', () => {
  const put = (key: string, value = '1') => ({ expect: [], operations: [{ kind: 'put', key, value } as const] });

  test('a host that is cut off fails, hears nothing, and catches up', async () => {
    const cluster = new MemoryCluster();
    const [a, b] = [cluster.host(), cluster.host()];
    const mirror = await StoreMirror.open(a, 'ep/n/');
    await until(() => mirror.told.includes('live'));
    a.cut('refused');
    await b.transact(put('ep/n/1'));
    await expect(a.get('ep/n/1')).rejects.toMatchObject({ code: 'RUNTIME' });
    expect(a.status().reachable).toBe(false);
    a.heal();
    await until(() => mirror.items.has('ep/n/1'));
    a.cut('silent');
    await expect(a.get('ep/n/1')).rejects.toMatchObject({ code: 'TIMEOUT' });
    await b.transact(put('ep/n/2'));
    cluster.compact();
    await until(() => mirror.told.at(-1) === 'stale');
    a.heal();
    await until(() => mirror.told.at(-1) === 'live');
    expect(mirror.told).toEqual(['live', 'stale', 'put ep/n/1', 'live', 'stale', 'reset', 'live']);
    expect(mirror.contents()).toEqual({ 'ep/n/1': '1', 'ep/n/2': '1' });
  });

  test('a session runs out while its host is cut off, and not when the server stood still as well', async () => {
    const cluster = new MemoryCluster();
    const [a, b] = [cluster.host(), cluster.host()];
    const session = await a.openSession(40);
    await a.transact({ expect: [], operations: [{ kind: 'put', key: 'host/a', value: '1', session }] });
    a.cut();
    const deadline = session.deadline();
    await session.lost;
    expect(performance.now()).toBeGreaterThan(deadline - 2);
    expect(await b.get('host/a')).toBeUndefined();

    a.heal();
    const second = await a.openSession(40);
    await a.transact({ expect: [], operations: [{ kind: 'put', key: 'host/a', value: '1', session: second }] });
    cluster.stop();
    await second.lost;
    cluster.start();
    expect(await b.get('host/a')).toBeDefined();
  });

  test('an answer is lost, a batch is told twice, events are late, everything is told again', async () => {
    const cluster = new MemoryCluster();
    const a = cluster.host();
    const mirror = await StoreMirror.open(a, 'ep/n/');
    a.loseAnswers();
    await expect(a.transact(put('ep/n/1'))).rejects.toMatchObject({ code: 'TIMEOUT' });
    expect(cluster.contents()).toEqual({ 'ep/n/1': '1' });
    a.repeatEvents();
    a.resetWatches();
    a.holdEvents();
    await a.transact(put('ep/n/2'));
    expect(mirror.items.has('ep/n/2')).toBe(false);
    a.releaseEvents();
    await until(() => mirror.items.has('ep/n/2'));
    expect(mirror.told).toEqual(['live', 'put ep/n/1', 'put ep/n/1', 'reset', 'put ep/n/2']);
  });
});
