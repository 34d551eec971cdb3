import { describe, expect, it } from 'vitest';
import { blockLayout } from '../../../src/cluster/block-layout.ts';
import { openBlocks, type Blocks } from '../../../src/cluster/blocks.ts';
import { removeHost } from '../../../src/cluster/host-removal.ts';
import { openMirror } from '../../../src/cluster/mirror.ts';
import { createNetwork, removeNetwork } from '../../../src/cluster/networks.ts';
import { blockKey, blocksOf, networkKey } from '../../../src/cluster/keys.ts';
import { parseNetwork } from '../../../src/cluster/values.ts';
import { TsnetError } from '../../../src/model/error.ts';
import { MemoryCluster } from '../../support/memory-cluster.ts';
import { overlayRecord } from './overlay-record.ts';
import { turnedClock } from './turned-clock.ts';

const network = overlayRecord({
  pools: [
    { subnet: '10.77.0.0/24', gateway: '10.77.0.1', aux: { printer: '10.77.0.18' } },
    { subnet: 'fd00:77::/64', gateway: 'fd00:77::1', aux: {} },
  ],
});

/** 16 blocks of 16 addresses. */
const LAYOUT = blockLayout(network, 28);
const QUARANTINE_MS = 60_000;

interface Member {
  readonly store: ReturnType<MemoryCluster['host']>;
  readonly clock: ReturnType<typeof turnedClock>;
  readonly blocks: Blocks;
  /** What its ledger says. */
  readonly leases: Map<string, 'held' | 'resting'>;
  readonly claim: (ip?: string) => Promise<string>;
  readonly close: () => void;
}

async function member(cluster: MemoryCluster, self: string, held: readonly string[] = []): Promise<Member> {
  const store = cluster.host();
  const clock = turnedClock();
  const leases = new Map<string, 'held' | 'resting'>(held.map((address) => [address, 'held']));
  const mirror = openMirror({ store, prefix: blocksOf(network.id), clock, onChanges: () => undefined });
  const blocks = openBlocks({
    store,
    self,
    network,
    layout: LAYOUT,
    mirror,
    clock,
    random: Math.random,
    quarantineMs: QUARANTINE_MS,
    leaseOf: (address) => leases.get(address),
    addresses: () => [...leases].flatMap(([address, lease]) => (lease === 'held' ? [address] : [])),
    isActive: () => parseNetwork(cluster.get(networkKey(network.id))?.value ?? '')?.state === 'active',
    beInTouch: () => {
      if (!mirror.isLive()) throw new TsnetError('RUNTIME', 'the cluster store does not know this host to be alive');
    },
    took: (item) => {
      mirror.expect(item);
    },
    nameOf: (host) => `${host}.example`,
  });
  await mirror.listed;
  return {
    store,
    clock,
    blocks,
    leases,
    claim: async (ip) => {
      const request = { network, sandboxId: 's', sandboxName: 'box', names: [], ...(ip === undefined ? {} : { ip }) };
      const claimed = await blocks.claim(request);
      const addresses = [claimed.ip ?? '', claimed.ip6 ?? ''];
      for (const address of addresses) leases.set(address, 'held');
      blocks.settle(addresses);
      return addresses[0] ?? '';
    },
    close: () => {
      mirror.close();
    },
  };
}

async function scene(count: number): Promise<{ cluster: MemoryCluster; members: Member[] }> {
  const cluster = new MemoryCluster();
  await createNetwork(cluster.host(), network, [5000]);
  const members = [];
  for (let index = 0; index < count; index++) members.push(await member(cluster, `h${index}`));
  return { cluster, members };
}

/** "10.77.0.16-28" → host */
function taken(cluster: MemoryCluster): Record<string, string> {
  const keys = Object.entries(cluster.contents()).filter(([key]) => key.startsWith('blk/'));
  return Object.fromEntries(
    keys.map(([key, value]) => [key.replace(/.*\//, ''), (JSON.parse(value) as { host: string }).host]),
  );
}

const free = (one: Member): void => {
  for (const address of one.leases.keys()) one.leases.set(address, 'resting');
};
const heard = () => new Promise((resolve) => setTimeout(resolve, 0));

describe('the blocks of a network', () => {
  it('are what both of its subnets are cut into', () => {
    expect(LAYOUT.count).toBe(16);
    expect(LAYOUT.at(1)).toEqual({
      index: 1,
      name: '10.77.0.16-28',
      prefixes: ['10.77.0.16/28', 'fd00:77:0:0:1000::/68'],
    });
    expect(LAYOUT.of('10.77.0.255')?.name).toBe('10.77.0.240-28');
    expect(LAYOUT.of('fd00:77::1000:0:0:9')?.index).toBe(1);
    expect(LAYOUT.of('10.77.1.0')).toBeUndefined();
    for (const name of ['10.77.0.16-27', '10.77.0.17-28', 'nonsense', '']) expect(LAYOUT.named(name)).toBeUndefined();
  });
});

describe('hosts that take blocks at the same time', () => {
  it('have one each, and nobody gets an address that is spoken for', async () => {
    const { cluster, members } = await scene(8);
    const [first] = members as [Member];
    const given = (await Promise.all(members.flatMap((one) => Array.from({ length: 20 }, () => one.claim())))).flat();
    expect(new Set(given).size).toBe(160);
    expect(Object.keys(taken(cluster))).toHaveLength(16);
    expect(given).not.toContain('10.77.0.1');
    expect(given).not.toContain('10.77.0.18');
    expect(given.filter((address) => Number(address.split('.')[3]) % 16 === 0)).toEqual([]);
    expect(given).not.toContain('10.77.0.255');
    // Each has two blocks by now, of 15 addresses but for what is spoken for.
    const more = await Promise.allSettled(Array.from({ length: 11 }, () => first.claim()));
    expect(more.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(7);
    expect(more.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'EXHAUSTED', message: expect.stringMatching(/all 16 .* taken/) as string },
    });
    for (const one of members) one.close();
  });

  it('and one that does not know yet finds another', async () => {
    const { cluster, members } = await scene(2);
    const [a, b] = members as [Member, Member];
    b.store.holdEvents();
    for (let count = 0; count < 15 * 8; count++) await a.claim();
    const before = Object.keys(taken(cluster)).length;
    await b.claim();
    expect(Object.values(taken(cluster)).filter((host) => host === 'h1')).toHaveLength(1);
    expect(Object.keys(taken(cluster))).toHaveLength(before + 1);
    a.close();
    b.close();
  });
});

describe('a host with a block', () => {
  it('asks nobody while there is room, whether the store is there or not', async () => {
    const { cluster, members } = await scene(1);
    const [a] = members as [Member];
    const first = await a.claim();
    const revision = cluster.revision;
    const room =
      LAYOUT.of(first)?.index === 0 || LAYOUT.of(first)?.index === 1 || LAYOUT.of(first)?.index === 15 ? 12 : 13;
    for (let count = 0; count < room; count++) await a.claim();
    expect(cluster.revision).toBe(revision);
    cluster.stop();
    await heard();
    await a.claim();
    await expect(a.claim()).rejects.toThrow(/no room, and it cannot take another: .*store/);
    // An address that rests is better than none.
    a.leases.set(first, 'resting');
    expect(await a.claim()).toBe(first);
    a.close();
  });

  it('takes one once, though the answer was lost', async () => {
    const { cluster, members } = await scene(1);
    const [a] = members as [Member];
    a.store.loseAnswers();
    a.store.holdEvents();
    await expect(a.claim()).rejects.toBeInstanceOf(TsnetError);
    a.store.releaseEvents();
    await heard();
    await a.claim();
    expect(Object.keys(taken(cluster))).toHaveLength(1);
    a.close();
  });

  it('gives it back when it was empty for the time that addresses rest', async () => {
    const { cluster, members } = await scene(1);
    const [a] = members as [Member];
    await a.claim();
    expect(a.blocks.dueInMs()).toBeUndefined();
    free(a);
    await a.blocks.tend();
    expect(a.blocks.dueInMs()).toBe(QUARANTINE_MS);
    a.clock.turn(QUARANTINE_MS - 1);
    await a.blocks.tend();
    expect(Object.keys(taken(cluster))).toHaveLength(1);
    a.clock.turn(1);
    await a.blocks.tend();
    expect(taken(cluster)).toEqual({});
    await heard();
    expect(a.blocks.hasAny()).toBe(false);
    expect(a.blocks.dueInMs()).toBeUndefined();
    a.close();
  });

  it('does not use one that it may have given back, until it knows', async () => {
    const { cluster, members } = await scene(2);
    const [a, b] = members as [Member, Member];
    const address = await a.claim();
    const block = LAYOUT.of(address)?.name ?? '';
    free(a);
    await a.blocks.tend();
    a.clock.turn(QUARANTINE_MS);
    a.store.holdEvents();
    a.store.loseAnswers();
    await expect(a.blocks.tend()).rejects.toBeInstanceOf(TsnetError);
    expect(taken(cluster)).toEqual({});
    await heard();
    expect(await b.claim(address)).toBe(address);
    const other = await a.claim();
    expect(LAYOUT.of(other)?.name).not.toBe(block);
    expect(taken(cluster)[block]).toBe('h1');
    a.close();
    b.close();
  });

  it('uses an empty one after a restart only when the store has said that it is still its own', async () => {
    const { cluster, members } = await scene(1);
    const [a] = members as [Member];
    const address = await a.claim();
    a.close();
    // As the journal has it; the store is away.
    const store = cluster.host();
    store.cut('refused');
    const clock = turnedClock();
    const items = cluster.list(blocksOf(network.id));
    const restarted = (held: boolean): Blocks => {
      const mirror = openMirror({
        store,
        prefix: blocksOf(network.id),
        known: items,
        clock,
        onChanges: () => undefined,
      });
      return openBlocks({
        store,
        self: 'h0',
        network,
        layout: LAYOUT,
        mirror,
        clock,
        random: Math.random,
        quarantineMs: QUARANTINE_MS,
        leaseOf: (one) => (held && one === address ? 'held' : undefined),
        addresses: () => (held ? [address] : []),
        isActive: () => true,
        beInTouch: () => {
          throw new TsnetError('RUNTIME', 'the cluster store is away');
        },
        took: () => undefined,
        nameOf: (host) => host,
      });
    };
    const request = { network, sandboxId: 's', sandboxName: 'box', names: [] };
    await expect(restarted(false).claim(request)).rejects.toThrow(/store is away/);
    expect(LAYOUT.of((await restarted(true).claim(request)).ip ?? '')).toEqual(LAYOUT.of(address));
  });
});

describe('a block whose key is lost', () => {
  it('is claimed again by the host whose containers are in it', async () => {
    const { cluster, members } = await scene(1);
    const [a] = members as [Member];
    const address = await a.claim();
    const key = blockKey(network.id, LAYOUT.of(address)?.name ?? '');
    await cluster.host().transact({ expect: [], operations: [{ kind: 'delete', key }] });
    await heard();
    expect(await a.blocks.tend()).toEqual([]);
    expect(Object.values(taken(cluster))).toEqual(['h0']);
    a.close();
  });

  it('and that another host took is told of, and left to it', async () => {
    const { cluster, members } = await scene(1);
    const [a] = members as [Member];
    const address = await a.claim();
    const block = LAYOUT.of(address);
    const key = blockKey(network.id, block?.name ?? '');
    const value = JSON.stringify({ host: 'h7' });
    await cluster.host().transact({ expect: [], operations: [{ kind: 'put', key, value }] });
    await heard();
    expect(await a.blocks.tend()).toEqual([{ block: block?.prefixes[0], host: 'h7.example' }]);
    const next = await a.claim();
    expect(LAYOUT.of(next)?.name).not.toBe(block?.name);
    a.close();
  });
});

describe('an address that was asked for', () => {
  it('is had with the free block that it is in, and not out of the block of another', async () => {
    const { cluster, members } = await scene(2);
    const [a, b] = members as [Member, Member];
    expect(await a.claim('10.77.0.133')).toBe('10.77.0.133');
    expect(taken(cluster)).toMatchObject({ '10.77.0.128-28': 'h0' });
    await expect(b.claim('10.77.0.134')).rejects.toThrow(
      /10\.77\.0\.128\/28, which host h0\.example has; choose another/,
    );
    expect(Object.values(taken(cluster))).toEqual(['h0']);
    await expect(b.claim('10.77.0.144')).rejects.toThrow(/nobody's/);
    await heard();
    await b.claim('10.77.0.145');
    await expect(b.claim('10.77.0.134')).rejects.toThrow(/choose one of this host's \(10\.77\.0\.144\/28\)/);
    a.close();
    b.close();
  });
});

describe('a network that is being removed', () => {
  it('gets its empty blocks back at once, and is kept while one is not empty', async () => {
    const { cluster, members } = await scene(1);
    const [a] = members as [Member];
    await a.claim();
    const remove = () => removeNetwork(cluster.host(), { network, vnis: [5000], self: 'h9' });
    await expect(remove()).rejects.toThrow(/block 10\.77\.0\.\d+\/28 of host h0/);
    free(a);
    const removed = remove();
    await heard();
    await expect(a.claim()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(a.blocks.dueInMs()).toBe(0);
    await a.blocks.tend();
    await removed;
    expect(Object.keys(cluster.contents())).toEqual([`hostnet/h0/${network.id}`]);
    a.close();
  });
});

describe('a host that never returns', () => {
  it('has its blocks cleared away', async () => {
    const { cluster, members } = await scene(2);
    const [a, b] = members as [Member, Member];
    await a.claim();
    await b.claim();
    const remover = cluster.host();
    const removed = await removeHost(remover, 'h0', await remover.openSession(1000));
    expect(removed?.map(({ blocks }) => blocks.length)).toEqual([1]);
    expect(Object.values(taken(cluster))).toEqual(['h1']);
    a.close();
    b.close();
  });
});
