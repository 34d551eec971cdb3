/** What the store says of Docker's part in a network of the cluster. */
import { describe, expect, it } from 'vitest';
import { openClaims } from '../../../src/cluster/claims.ts';
import { enterDockerHost, leaveDockerHost } from '../../../src/cluster/docker-hosts.ts';
import { endpointKey, endpointsOf, hostKey } from '../../../src/cluster/keys.ts';
import { removeHost } from '../../../src/cluster/host-removal.ts';
import { openMirror } from '../../../src/cluster/mirror.ts';
import { createNetwork, networkNamed, removeNetwork } from '../../../src/cluster/networks.ts';
import { MemoryCluster } from '../../support/memory-cluster.ts';
import type { MemoryHost } from '../../support/memory-host.ts';
import { overlayRecord } from './overlay-record.ts';
import { turnedClock } from './turned-clock.ts';

const network = overlayRecord({
  pools: [
    { subnet: '10.77.0.0/28', gateway: '10.77.0.1', aux: {} },
    { subnet: 'fd77::/64', gateway: 'fd77::1', aux: {} },
  ],
  docker: { engine: 'of host a alone' },
  goesWithDocker: true,
});

const vnis = [5000];

describe('a network that Dockers have', () => {
  it('is found by its name, without what one host alone knows of it', async () => {
    const store = new MemoryCluster().host();
    expect(await networkNamed(store, 'ov')).toBeUndefined();
    await createNetwork(store, network, vnis);
    const { docker: _docker, ...shared } = network;
    expect(await networkNamed(store, 'ov')).toEqual(shared);
  });

  it('is not removed by another host, and is by the last that has it', async () => {
    const cluster = new MemoryCluster();
    const store = cluster.host();
    await createNetwork(store, network, vnis);
    await enterDockerHost(store, network, { host: 'ha', name: 'alpha' });
    await enterDockerHost(store, network, { host: 'hb', name: 'beta' });
    await expect(removeNetwork(store, { network, vnis, self: 'hc' })).rejects.toThrow(
      /Docker has it on host alpha, beta; `docker network rm` it there first/,
    );
    // It is as it was for everybody.
    expect(await networkNamed(store, 'ov')).toBeDefined();
    await leaveDockerHost(store, network.id, 'hb');
    await leaveDockerHost(store, network.id, 'hb');
    await removeNetwork(store, { network, vnis, self: 'ha' });
    expect(cluster.contents()).toEqual({});
    await expect(enterDockerHost(store, network, { host: 'hb', name: 'beta' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('is not kept by a host that never came back', async () => {
    const cluster = new MemoryCluster();
    const store = cluster.host();
    await createNetwork(store, network, vnis);
    await enterDockerHost(store, network, { host: 'ha', name: 'alpha' });
    const session = await store.openSession(1000);
    expect(await removeHost(store, 'ha', session)).toEqual([]);
    await removeNetwork(store, { network, vnis, self: 'hb' });
    // That it was removed is told as long as the remover is there.
    expect(Object.keys(cluster.contents())).toEqual([hostKey('ha')]);
  });
});

describe("addresses for Docker's IPAM", () => {
  const hostOf = (cluster: MemoryCluster, self: string) => {
    const store: MemoryHost = cluster.host();
    const clock = turnedClock();
    const mirror = openMirror({ store, prefix: endpointsOf(network.id), clock, onChanges: () => undefined });
    return { mirror, claims: openClaims({ store, self, mirror, clock, random: Math.random, quarantineMs: 60_000 }) };
  };
  const request = (sandboxId: string) => ({ network, sandboxId, sandboxName: sandboxId, names: [sandboxId] });

  it('are claimed a family at a time, and are an endpoint’s later', async () => {
    const cluster = new MemoryCluster();
    const [a, b] = [hostOf(cluster, 'ha'), hostOf(cluster, 'hb')];
    await createNetwork(cluster.host(), network, vnis);
    const four = await a.claims.claim({ ...request('docker'), families: [4] });
    const six = await a.claims.claim({ ...request('docker'), families: [6] });
    expect([Object.keys(four), Object.keys(six)]).toEqual([['ip'], ['ip6']]);
    const endpoint = { ...request('c1'), ...four, ...six, mac: '02:00:00:00:00:07' };
    await a.claims.assign(endpoint);
    const value = { mac: '02:00:00:00:00:07', host: 'ha', id: 'c1', names: ['c1'] };
    for (const address of [four.ip, six.ip6]) {
      expect(JSON.parse(cluster.contents()[endpointKey(network.id, address ?? '')] ?? '')).toEqual(value);
    }
    // What somebody else has stays theirs; what nobody has any more is claimed.
    await expect(b.claims.assign({ ...request('c2'), ...four })).rejects.toThrow(/is held by c1 on host ha/);
    await a.claims.release(network.id, 'c1', [four.ip ?? '']);
    await b.claims.assign({ ...request('c2'), ...four });
    await expect(a.claims.assign(endpoint)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    for (const { mirror } of [a, b]) mirror.close();
  });
});
