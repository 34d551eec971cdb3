import { describe, expect, it } from 'vitest';
import { openClaims } from '../../../src/cluster/claims.ts';
import { openMirror } from '../../../src/cluster/mirror.ts';
import { createNetwork, removeNetwork } from '../../../src/cluster/networks.ts';
import { endpointsOf } from '../../../src/cluster/keys.ts';
import { MemoryCluster } from '../../support/memory-cluster.ts';
import { overlayRecord } from './overlay-record.ts';
import { turnedClock } from './turned-clock.ts';

const network = overlayRecord();

function claimsOf(cluster: MemoryCluster, self: string) {
  const store = cluster.host();
  const clock = turnedClock();
  const mirror = openMirror({ store, prefix: endpointsOf(network.id), clock, onChanges: () => undefined });
  const claims = openClaims({ store, self, mirror, clock, random: Math.random, quarantineMs: 60_000 });
  return { store, clock, mirror, claims };
}

const request = (sandbox: string, ip?: string) => ({
  network,
  sandboxId: sandbox,
  sandboxName: sandbox,
  names: [sandbox],
  ...(ip === undefined ? {} : { ip }),
});

describe('addresses that hosts claim at the same time', () => {
  it('are given once each, until the subnet is full', async () => {
    const cluster = new MemoryCluster();
    const hosts = Array.from({ length: 4 }, (_, index) => claimsOf(cluster, `h${index}`));
    await createNetwork(cluster.host(), network, [5000]);
    await Promise.all(hosts.map(({ mirror }) => mirror.listed));
    // 14 hosts' addresses less the gateway.
    const given: (string | undefined)[] = [];
    const take = async (index: number): Promise<void> => {
      given.push((await hosts[index % 4]?.claims.claim(request(`c${index}`)))?.ip);
    };
    await Promise.all(Array.from({ length: 13 }, (_, index) => take(index)));
    expect(new Set(given).size).toBe(13);
    expect(given).not.toContain('10.77.0.1');
    await expect(hosts[0]?.claims.claim(request('late'))).rejects.toMatchObject({ code: 'EXHAUSTED' });
    for (const { mirror } of hosts) mirror.close();
  });

  it('that were asked for by name are refused with their holder', async () => {
    const cluster = new MemoryCluster();
    const [a, b] = [claimsOf(cluster, 'ha'), claimsOf(cluster, 'hb')];
    await createNetwork(cluster.host(), network, [5000]);
    await a.claims.claim(request('web', '10.77.0.5'));
    await expect(b.claims.claim(request('db', '10.77.0.5'))).rejects.toThrow(/10\.77\.0\.5 is held by web on host ha/);
    await a.claims.release(network.id, 'web', ['10.77.0.5']);
    expect(await b.claims.claim(request('db', '10.77.0.5'))).toEqual({ ip: '10.77.0.5' });
    // What is another's by now is left to it.
    await a.claims.release(network.id, 'web', ['10.77.0.5']);
    expect(Object.keys(cluster.contents()).filter((key) => key.startsWith('ep/'))).toHaveLength(1);
    a.mirror.close();
    b.mirror.close();
  });
});

describe('a network that is being removed', () => {
  it('takes nobody, and is not removed while somebody is on it', async () => {
    const cluster = new MemoryCluster();
    const { store, claims, mirror } = claimsOf(cluster, 'ha');
    await createNetwork(store, network, [5000]);
    await claims.claim(request('web'));
    await expect(removeNetwork(store, { network, vnis: [5000], self: 'ha' })).rejects.toThrow(/web on host ha/);
    const { ip } = await claims.claim(request('db'));
    await claims.release(network.id, 'db', [ip ?? '']);
    await claims.release(
      network.id,
      'web',
      Object.keys(cluster.contents()).flatMap((key) => /^ep\/\w+\/(.+)$/.exec(key)?.[1] ?? []),
    );
    await removeNetwork(store, { network, vnis: [5000], self: 'ha' });
    expect(Object.keys(cluster.contents())).toEqual([`hostnet/ha/${network.id}`]);
    await expect(claims.claim(request('late'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    mirror.close();
  });

  it('keeps its name, its subnet and its number to itself', async () => {
    const store = new MemoryCluster().host();
    await createNetwork(store, network, [5000]);
    const other = { ...network, id: 'b'.repeat(64) };
    await expect(createNetwork(store, other, [5001])).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(createNetwork(store, { ...other, name: 'ov2' }, [5001])).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const elsewhere = { ...other, name: 'ov2', pools: [{ subnet: '10.78.0.0/16', aux: {} }] };
    expect(await createNetwork(store, elsewhere, [5000])).toBe('vni-taken');
    expect(await createNetwork(store, elsewhere, [5001])).toBe('made');
  });
});
