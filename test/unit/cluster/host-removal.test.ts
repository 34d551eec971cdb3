import { describe, expect, it } from 'vitest';
import { holdingsByHost, holdingsOf } from '../../../src/cluster/holdings.ts';
import { removeHost } from '../../../src/cluster/host-removal.ts';
import {
  blockKey,
  endpointKey,
  hostKey,
  networkKey,
  networkOfHostKey,
  registrationKey,
} from '../../../src/cluster/keys.ts';
import { REMOVED_HOST } from '../../../src/cluster/values.ts';
import type { ClusterStore, StoreOperation } from '../../../src/model/cluster-store.ts';
import { MemoryCluster } from '../../support/memory-cluster.ts';

const endpointOf = (host: string): string => JSON.stringify({ mac: '02:42:0a:4d:00:02', host, id: 'box', names: [] });
const address = (index: number): string => `10.77.${index >> 8}.${index & 255}`;
const ENDPOINTS = 150;

function put(cluster: MemoryCluster, values: Readonly<Record<string, string>>): void {
  const operations = Object.entries(values).map(([key, value]): StoreOperation => ({ kind: 'put', key, value }));
  cluster.transact({ expect: [], operations });
}

/** h2 is gone and has left 150 addresses of one network and a block of another. */
function scene() {
  const cluster = new MemoryCluster();
  put(cluster, {
    [networkKey('one')]: '{}',
    [networkKey('two')]: '{}',
    [hostKey('h1')]: '{"vtep":"192.168.0.1"}',
    [registrationKey('h1')]: '{"name":"first"}',
    [registrationKey('h2')]: '{"name":"second"}',
    [networkOfHostKey('h1', 'one')]: '{}',
    [networkOfHostKey('h2', 'one')]: '{}',
    [networkOfHostKey('h2', 'two')]: '{}',
    [endpointKey('one', '10.77.9.9')]: endpointOf('h1'),
    [blockKey('two', '10.78.3.0-24')]: '{"host":"h2"}',
    [blockKey('two', '10.78.4.0-24')]: '{"host":"h1"}',
  });
  for (let index = 0; index < ENDPOINTS; index++)
    put(cluster, { [endpointKey('one', address(index))]: endpointOf('h2') });
  const of = (host: string): string[] =>
    Object.entries(cluster.contents()).flatMap(([key, value]) =>
      key.includes(host) || value.includes(`"${host}"`) ? [key] : [],
    );
  return { cluster, of };
}

/** A store that does something before its nth transaction. */
function interrupted(
  store: ClusterStore,
  nth: number,
  act: () => void,
): Pick<ClusterStore, 'get' | 'list' | 'transact'> {
  let count = 0;
  return {
    get: (key) => store.get(key),
    list: (prefix) => store.list(prefix),
    transact: (transaction) => {
      count += 1;
      if (count === nth) act();
      return store.transact(transaction);
    },
  };
}

describe('what a host has', () => {
  it('is counted by network, of one host as of all', async () => {
    const { cluster } = scene();
    const of = await holdingsOf(cluster.host(), 'h2');
    expect(of.map(({ networkId, addresses, blocks }) => [networkId, addresses.length, blocks])).toEqual([
      ['one', ENDPOINTS, []],
      ['two', 0, ['10.78.3.0-24']],
    ]);
    const all = await holdingsByHost(cluster.host());
    expect(all.get('h2')).toEqual(of);
    expect(all.get('h1')?.map(({ addresses, blocks }) => [...addresses, ...blocks])).toEqual([
      ['10.77.9.9'],
      ['10.78.4.0-24'],
    ]);
  });
});

describe('removing a host', () => {
  it('takes away all that it has and nothing else, and tells the others as long as the remover is there', async () => {
    const { cluster, of } = scene();
    const others = of('h1');
    const store = cluster.host();
    const session = await store.openSession(1000);
    const removed = await removeHost(store, 'h2', session);
    expect(removed?.map(({ addresses, blocks }) => [addresses.length, blocks.length])).toEqual([
      [ENDPOINTS, 0],
      [0, 1],
    ]);
    expect(of('h2')).toEqual([hostKey('h2')]);
    expect(cluster.contents()[hostKey('h2')]).toBe(REMOVED_HOST);
    expect(of('h1')).toEqual(others);
    await session.close();
    expect(of('h2')).toEqual([]);
  });

  it('is refused for one that is there, and stops where it comes back meanwhile', async () => {
    const { cluster, of } = scene();
    const store = cluster.host();
    const session = await store.openSession(1000);
    expect(await removeHost(store, 'h1', session)).toBeUndefined();
    expect(of('h1')).toHaveLength(5);
    const back = interrupted(store, 2, () => {
      put(cluster, { [hostKey('h2')]: '{"vtep":"192.168.0.2"}' });
    });
    expect(await removeHost(back, 'h2', session)).toBeUndefined();
    expect(of('h2')).toContain(registrationKey('h2'));
    expect(cluster.contents()[hostKey('h2')]).toContain('192.168.0.2');
  });

  it('leaves an address that is another host’s by now', async () => {
    const { cluster } = scene();
    const store = cluster.host();
    const session = await store.openSession(1000);
    const key = endpointKey('one', address(3));
    // Another remover was quicker, and h1 has claimed what it freed.
    const crossed = interrupted(store, 1, () => {
      put(cluster, { [key]: endpointOf('h1') });
    });
    const removed = await removeHost(crossed, 'h2', session);
    expect(removed?.[0]?.addresses).toHaveLength(ENDPOINTS - 1);
    expect(cluster.contents()[key]).toBe(endpointOf('h1'));
  });

  it('may be done by two at once, and again after it was broken off', async () => {
    const { cluster, of } = scene();
    const [one, two] = [cluster.host(), cluster.host()];
    const [first, second] = [await one.openSession(1000), await two.openSession(1000)];
    const broken = interrupted(one, 3, () => {
      one.cut('refused');
    });
    await expect(removeHost(broken, 'h2', first)).rejects.toMatchObject({ code: 'RUNTIME' });
    expect(of('h2')).toContain(registrationKey('h2'));
    one.heal();
    const removed = await Promise.all([removeHost(one, 'h2', first), removeHost(two, 'h2', second)]);
    expect(removed).not.toContain(undefined);
    expect(of('h2')).toEqual([hostKey('h2')]);
  });
});
