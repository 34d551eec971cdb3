/** Names of containers in a network whose hosts have blocks: told by one host (`told-names.ts`), asked for by another (`name-lookup.ts`). */
import { describe, expect, it } from 'vitest';
import { removeHost } from '../../../src/cluster/host-removal.ts';
import { networkOfHostKey } from '../../../src/cluster/keys.ts';
import { openNameLookup } from '../../../src/cluster/name-lookup.ts';
import { openToldNames, sharedNames } from '../../../src/cluster/told-names.ts';
import type { NamedValue } from '../../../src/cluster/values.ts';
import { MemoryCluster } from '../../support/memory-cluster.ts';
import { turnedClock } from './turned-clock.ts';

const NETWORK = 'net';
const QUARANTINE_MS = 60_000;
/** So late that nothing kept is fresh any more. */
const LATER_MS = 5000;

function teller(cluster: MemoryCluster, self: string) {
  const store = cluster.host();
  const endpoints = new Map<string, NamedValue>();
  const names = openToldNames({
    store,
    self,
    networkId: NETWORK,
    wanted: () => [...endpoints.values()],
    beInTouch: () => undefined,
  });
  return {
    store,
    names,
    endpoints,
    has: async (address: string, ...called: string[]) => {
      endpoints.set(address, { addresses: [address], names: called });
      await names.tell();
    },
    loses: async (address: string) => {
      endpoints.delete(address);
      await names.tell();
    },
  };
}

function asker(cluster: MemoryCluster, self = 'h9') {
  const store = cluster.host();
  const clock = turnedClock();
  /** Which host has the block of an address, by the beginning of the address. */
  const blocks = new Map([
    ['10.77.1.', 'h1'],
    ['10.77.2.', 'h2'],
    ['10.77.9.', 'h9'],
    ['fd00:1:', 'h1'],
  ]);
  let isInTouch = true;
  const lookup = openNameLookup({
    store,
    networkId: NETWORK,
    self,
    clock,
    isInTouch: () => isInTouch,
    hostOf: (address) => [...blocks].find(([beginning]) => address.startsWith(beginning))?.[1],
    quarantineMs: QUARANTINE_MS,
  });
  return {
    store,
    clock,
    blocks,
    named: (name: string) => lookup.named(name),
    nameOf: (address: string) => lookup.nameOf(address),
    touch: (now: boolean) => (isInTouch = now),
  };
}

const namesIn = (cluster: MemoryCluster): string[] =>
  Object.keys(cluster.contents()).filter((key) => key.startsWith('name'));

describe('names that are told', () => {
  it('are those that a resolver can ask others for', () => {
    expect(sharedNames(['Web', 'web', 'db_1', 'a.b', '*.app', 'x/y', '-x', ''])).toEqual(['web', 'db_1']);
    expect(sharedNames(Array.from({ length: 100 }, (_, index) => `n${index}`))).toHaveLength(31);
  });

  it('come with a container, change with it, and go with it: all in one write', async () => {
    const cluster = new MemoryCluster();
    const one = teller(cluster, 'h1');
    await one.has('10.77.1.5', 'web', 'www');
    expect(namesIn(cluster)).toEqual([
      `name/${NETWORK}/web/h1-10.77.1.5`,
      `name/${NETWORK}/www/h1-10.77.1.5`,
      `named/${NETWORK}/h1/10.77.1.5`,
    ]);
    const { revision } = cluster;
    await one.names.tell();
    expect(cluster.revision).toBe(revision);
    await one.has('10.77.1.5', 'web', 'shop');
    expect(cluster.revision).toBe(revision + 1);
    expect(namesIn(cluster)).toContain(`name/${NETWORK}/shop/h1-10.77.1.5`);
    expect(namesIn(cluster)).not.toContain(`name/${NETWORK}/www/h1-10.77.1.5`);
    expect(one.names.isClear()).toBe(false);
    await one.loses('10.77.1.5');
    expect(namesIn(cluster)).toEqual([]);
    expect(one.names.isClear()).toBe(true);
  });

  it('are many in few writes', async () => {
    const cluster = new MemoryCluster();
    const one = teller(cluster, 'h1');
    for (let index = 1; index <= 200; index++) {
      const address = `10.77.1.${index}`;
      one.endpoints.set(address, { addresses: [address], names: [`n${index}`] });
    }
    const { revision } = cluster;
    await one.names.tell();
    expect(namesIn(cluster)).toHaveLength(400);
    expect(cluster.revision - revision).toBe(7);
  });

  it('are told when the store is back, whatever became of a write that had no answer', async () => {
    const cluster = new MemoryCluster();
    const one = teller(cluster, 'h1');
    await one.has('10.77.1.5', 'web');
    cluster.stop();
    await expect(one.loses('10.77.1.5')).rejects.toMatchObject({ code: 'RUNTIME' });
    await expect(one.has('10.77.1.6', 'db')).rejects.toMatchObject({ code: 'RUNTIME' });
    expect(one.names.isBehind()).toBe(true);
    expect(one.names.isClear()).toBe(false);
    cluster.start();
    one.store.loseAnswers();
    await expect(one.names.tell()).rejects.toThrow();
    await one.names.tell();
    expect(one.names.isBehind()).toBe(false);
    expect(namesIn(cluster)).toEqual([`name/${NETWORK}/db/h1-10.77.1.6`, `named/${NETWORK}/h1/10.77.1.6`]);
  });

  it('are taken back where a container went before the answer to its coming was lost', async () => {
    const cluster = new MemoryCluster();
    const one = teller(cluster, 'h1');
    await one.has('10.77.1.5', 'web');
    one.store.loseAnswers();
    await expect(one.has('10.77.1.6', 'db')).rejects.toThrow();
    expect(namesIn(cluster)).toHaveLength(4);
    await one.loses('10.77.1.6');
    expect(namesIn(cluster)).toEqual([`name/${NETWORK}/web/h1-10.77.1.5`, `named/${NETWORK}/h1/10.77.1.5`]);
  });

  it('of a daemon before, and those that somebody took away, are seen to when in doubt', async () => {
    const cluster = new MemoryCluster();
    await teller(cluster, 'h1').has('10.77.1.5', 'old');
    const next = teller(cluster, 'h1');
    await next.has('10.77.1.6', 'new');
    expect(namesIn(cluster)).toEqual([`name/${NETWORK}/new/h1-10.77.1.6`, `named/${NETWORK}/h1/10.77.1.6`]);
    cluster.transact({ expect: [], operations: namesIn(cluster).map((key) => ({ kind: 'delete', key })) });
    next.names.doubt();
    await next.names.tell();
    expect(namesIn(cluster)).toHaveLength(2);
  });

  it('go with a host that is removed', async () => {
    const cluster = new MemoryCluster();
    const [one, two] = [teller(cluster, 'h1'), teller(cluster, 'h2')];
    await one.has('10.77.1.5', 'web', 'www');
    await two.has('10.77.2.5', 'web');
    cluster.transact({ expect: [], operations: [{ kind: 'put', key: networkOfHostKey('h1', NETWORK), value: '{}' }] });
    await removeHost(two.store, 'h1', await two.store.openSession(1000));
    expect(namesIn(cluster)).toEqual([`name/${NETWORK}/web/h2-10.77.2.5`, `named/${NETWORK}/h2/10.77.2.5`]);
  });
});

describe('a name that is asked for', () => {
  it('is all who have it on other hosts, asked for once in a while', async () => {
    const cluster = new MemoryCluster();
    const { named, clock, nameOf } = asker(cluster);
    await teller(cluster, 'h1').has('10.77.1.5', 'web');
    await teller(cluster, 'h2').has('10.77.2.5', 'web');
    const own = teller(cluster, 'h9');
    await own.has('10.77.9.5', 'web');
    expect([...(await named('web'))].sort()).toEqual(['10.77.1.5', '10.77.2.5']);
    expect(await nameOf('10.77.1.5')).toBe('web');
    expect(await nameOf('10.77.1.6')).toBeUndefined();
    const late = teller(cluster, 'h2');
    await late.has('10.77.2.6', 'web');
    expect(await named('web')).toHaveLength(2);
    clock.turn(LATER_MS);
    expect([...(await named('web'))].sort()).toEqual(['10.77.1.5', '10.77.2.6']);
  });

  it('that nobody has is asked for again soon', async () => {
    const cluster = new MemoryCluster();
    const { named, clock } = asker(cluster);
    expect(await named('web')).toEqual([]);
    await teller(cluster, 'h1').has('10.77.1.5', 'web');
    expect(await named('web')).toEqual([]);
    clock.turn(1000);
    expect(await named('web')).toEqual(['10.77.1.5']);
  });

  it('leads nowhere when its host is dead, or another host has its block, however it was left', async () => {
    const cluster = new MemoryCluster();
    const { named, nameOf, blocks } = asker(cluster);
    await teller(cluster, 'h1').has('10.77.1.5', 'web');
    expect(await named('web')).toEqual(['10.77.1.5']);
    blocks.set('10.77.1.', 'h2');
    expect(await named('web')).toEqual([]);
    expect(await nameOf('10.77.1.5')).toBeUndefined();
    blocks.delete('10.77.1.');
    expect(await named('web')).toEqual([]);
    blocks.set('10.77.1.', 'h1');
    expect(await named('web')).toEqual(['10.77.1.5']);
  });

  it('has the addresses of both families, of one endpoint', async () => {
    const cluster = new MemoryCluster();
    const { named } = asker(cluster);
    const one = teller(cluster, 'h1');
    one.endpoints.set('10.77.1.5', { addresses: ['10.77.1.5', 'fd00:1::5'], names: ['web'] });
    await one.names.tell();
    expect(await named('web')).toEqual(['10.77.1.5', 'fd00:1::5']);
  });

  it('with dots is nothing that the store is asked for', async () => {
    const cluster = new MemoryCluster();
    const { named, store } = asker(cluster);
    store.cut('refused');
    expect(await named('www.example.org')).toEqual([]);
  });
});

describe('while the store is out of reach', () => {
  it('what was known is answered as long as addresses rest, and nothing is waited for', async () => {
    const cluster = new MemoryCluster();
    const { named, clock } = asker(cluster);
    await teller(cluster, 'h1').has('10.77.1.5', 'web');
    expect(await named('web')).toEqual(['10.77.1.5']);
    cluster.stop();
    clock.turn(LATER_MS);
    expect(await named('web')).toEqual(['10.77.1.5']);
    await expect(named('other')).rejects.toMatchObject({ code: 'RUNTIME' });
    clock.turn(QUARANTINE_MS);
    await expect(named('web')).rejects.toMatchObject({ code: 'RUNTIME' });
    cluster.start();
    clock.turn(1000);
    expect(await named('web')).toEqual(['10.77.1.5']);
  });

  it('an answer that does not come is waited for half a second, once, and not at all where silence is known', async () => {
    const cluster = new MemoryCluster();
    const { clock, store, touch, named } = asker(cluster);
    store.cut('silent');
    const [first, second] = [named('web').catch(() => 'late'), named('web').catch(() => 'late')];
    clock.turn(500);
    expect(await Promise.all([first, second])).toEqual(['late', 'late']);
    await expect(named('db')).rejects.toMatchObject({ code: 'RUNTIME' });
    store.heal();
    clock.turn(1000);
    expect(await named('db')).toEqual([]);
    touch(false);
    await expect(named('cache')).rejects.toMatchObject({ code: 'RUNTIME' });
  });

  it('a program that asks for made-up names is not the store’s trouble', async () => {
    const cluster = new MemoryCluster();
    const { named, clock } = asker(cluster);
    const asked = await Promise.allSettled(Array.from({ length: 700 }, (_, index) => named(`n${index}`)));
    expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(500);
    clock.turn(1000);
    expect(await named('n699')).toEqual([]);
  });
});
