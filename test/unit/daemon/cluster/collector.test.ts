import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openHosts } from '../../../../src/cluster/hosts.ts';
import { endpointKey, GC_HOLDER, hostKey, networkOfHostKey, registrationKey } from '../../../../src/cluster/keys.ts';
import { openCollector } from '../../../../src/daemon/cluster/collector.ts';
import type { StoreSession } from '../../../../src/model/cluster-store.ts';
import { MemoryCluster } from '../../../support/memory-cluster.ts';
import { turnedClock } from '../../cluster/turned-clock.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const LOST = endpointKey('net', '10.77.0.2');
const KEPT = endpointKey('net', '10.77.0.3');

const valueOf = (id: string) => ({ name: id, vtep: `192.168.0.${id.slice(1)}`, port: 4789, mtu: 1500, epoch: id });
const endpointOf = (host: string): string => JSON.stringify({ mac: '02:42:0a:4d:00:02', host, id: 'box', names: [] });

/** A cluster of h1, which is there, and h2, which was and left an address behind. */
function scene() {
  const cluster = new MemoryCluster();
  const puts: Readonly<Record<string, string>> = {
    [registrationKey('h1')]: '{}',
    [registrationKey('h2')]: '{}',
    [hostKey('h1')]: JSON.stringify(valueOf('h1')),
    [networkOfHostKey('h1', 'net')]: '{}',
    [networkOfHostKey('h2', 'net')]: '{}',
    [LOST]: endpointOf('h2'),
    [KEPT]: endpointOf('h1'),
  };
  cluster.transact({
    expect: [],
    operations: Object.entries(puts).map(([key, value]) => ({ kind: 'put', key, value })),
  });
  return { cluster, has: (key: string): boolean => key in cluster.contents() };
}

async function collectorOf(cluster: MemoryCluster, self: string) {
  const store = cluster.host();
  const clock = turnedClock();
  const log: string[] = [];
  let session: StoreSession | undefined = await store.openSession(15_000);
  let isHolding = false;
  const hosts = openHosts({ self, graceMs: 10_000, clock, onChange: () => undefined, onHold: () => undefined });
  hosts.put('h1', valueOf('h1'));
  const note = (_: object, message: string): void => void log.push(message);
  const collector = openCollector({
    store,
    self,
    session: () => session,
    hosts,
    isHolding: () => isHolding,
    clock,
    log: { info: note, warn: note, error: note },
    patienceMs: HOUR_MS,
  });
  return {
    store,
    hosts,
    log,
    collector,
    loseSession: () => (session = undefined),
    hold: (held: boolean) => (isHolding = held),
    minutes: async (count: number) => {
      for (let minute = 0; minute < count; minute += 1) {
        clock.turn(MINUTE_MS);
        await setImmediate();
      }
    },
  };
}

describe('what a host left that does not come back', () => {
  it('is cleared away after an hour, and not before', async () => {
    const { cluster, has } = scene();
    const { minutes, log } = await collectorOf(cluster, 'h1');
    await minutes(60);
    expect(has(LOST)).toBe(true);
    await minutes(1);
    expect([LOST, networkOfHostKey('h2', 'net'), registrationKey('h2')].filter(has)).toEqual([]);
    expect([KEPT, networkOfHostKey('h1', 'net'), registrationKey('h1')].every(has)).toBe(true);
    expect(log).toEqual(['cleared away what a host left that did not come back']);
    await minutes(120);
    expect(log).toHaveLength(1);
  });

  it('is cleared away by one host only', async () => {
    const { cluster, has } = scene();
    const [first, second] = [await collectorOf(cluster, 'h1'), await collectorOf(cluster, 'h3')];
    await first.minutes(1);
    await second.minutes(90);
    expect(has(LOST)).toBe(true);
    // The first dies, and the hour begins anew with the next one.
    first.collector.close();
    first.store.loseSessions();
    expect(has(GC_HOLDER)).toBe(false);
    await second.minutes(60);
    expect(has(LOST)).toBe(true);
    await second.minutes(2);
    expect(has(LOST)).toBe(false);
  });

  it('stays while it is not certain who is gone', async () => {
    const { cluster, has } = scene();
    const { minutes, hold, hosts, loseSession } = await collectorOf(cluster, 'h1');
    hold(true);
    await minutes(120);
    expect(has(LOST)).toBe(true);
    hold(false);
    await minutes(50);
    // It is back for a moment, which begins another hour.
    hosts.put('h2', valueOf('h2'));
    await minutes(1);
    hosts.vanished('h2');
    await minutes(59);
    expect(has(LOST)).toBe(true);
    loseSession();
    await minutes(120);
    expect(has(LOST)).toBe(true);
  });

  it('stays where the host came back at the last moment, before this one has heard of it', async () => {
    const { cluster, has } = scene();
    const { minutes, log } = await collectorOf(cluster, 'h1');
    await minutes(60);
    const value = JSON.stringify(valueOf('h2'));
    cluster.transact({ expect: [], operations: [{ kind: 'put', key: hostKey('h2'), value }] });
    await minutes(10);
    expect(has(LOST)).toBe(true);
    expect(log).toEqual([]);
  });

  it('is tried again where the store does not answer', async () => {
    const { cluster, has } = scene();
    const { minutes, store, log } = await collectorOf(cluster, 'h1');
    await minutes(60);
    store.cut('refused');
    await minutes(1);
    expect(log).toEqual(['cannot clear up after hosts that are gone; it is tried again']);
    store.heal();
    await minutes(1);
    expect(has(LOST)).toBe(false);
  });
});
