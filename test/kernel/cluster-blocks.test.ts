/** Overlay networks whose hosts have blocks of addresses (mode=block), over three hosts with daemons, on a real etcd. */
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  container,
  createOverlay,
  stageForFile,
  type ClusterHost,
  type ClusterStage,
  type TestContainer,
} from '../support/cluster-stage.ts';
import { Lab, until } from '../support/lab.ts';

const TTL = 3;
const GRACE_MS = 2000;

const lab = new Lab();
let stage: ClusterStage;
let a: ClusterHost;
let b: ClusterHost;
let c: ClusterHost;
let onA: TestContainer;
let onB: TestContainer;
let onC: TestContainer;

/** Blocks that lead to other hosts, as a host's kernel routes them: "10.77.3.0/24". */
async function routes({ host }: ClusterHost): Promise<string[]> {
  const found = JSON.parse(await host.must('ip', ['-j', 'route', 'show', 'proto', '157'])) as readonly {
    readonly dst: string;
    readonly gateway?: string;
  }[];
  return found
    .filter(({ dst, gateway }) => gateway === dst.replace(/\/.*/, ''))
    .map(({ dst }) => dst)
    .sort();
}

async function untilRoutes(host: ClusterHost, wanted: readonly string[], timeoutMs = 5000): Promise<void> {
  const text = JSON.stringify([...wanted].sort());
  let last = '';
  await until(async () => (last = JSON.stringify(await routes(host))) === text, timeoutMs).catch(() => {
    throw new Error(`routes of ${host.address}: ${last}, expected ${text}`);
  });
}

/** The block of a container's address; blocks are /24 here. */
const blockOf = ({ address }: TestContainer): string => address.replace(/\.\d+$/, '.0/24');
const blocksOf = (...containers: readonly TestContainer[]): string[] => [...new Set(containers.map(blockOf))];

/** Keys of blocks in the store, with their revisions. */
async function blockKeys(): Promise<Record<string, number>> {
  const { stdout } = await stage.etcd.ctl('get', '--prefix', '/tsnet/v1/blk/', '--write-out', 'json');
  const { kvs = [] } = JSON.parse(stdout) as { readonly kvs?: readonly { key: string; mod_revision: number }[] };
  return Object.fromEntries(
    kvs.map(({ key, mod_revision }) => [
      Buffer.from(key, 'base64').toString().replace(/.*\//, '').replace('-', '/'),
      mod_revision,
    ]),
  );
}

/** The beginning of a block that nobody has: "10.77.9." */
async function freeBlock(): Promise<string> {
  const taken = Object.keys(await blockKeys());
  const numbers = Array.from({ length: 250 }, (_, index) => `10.77.${String(index + 2)}.`);
  return numbers.find((beginning) => !taken.includes(`${beginning}0/24`)) ?? '';
}

async function untilWhole(timeoutMs = 20_000): Promise<void> {
  await untilRoutes(a, blocksOf(onB, onC), timeoutMs);
  await untilRoutes(b, blocksOf(onA, onC), timeoutMs);
  await untilRoutes(c, blocksOf(onA, onB), timeoutMs);
  for (const host of [a, b, c]) await until(async () => (await host.info()).session === 'held', timeoutMs);
}

stageForFile(lab, { hosts: 3, ttl: TTL, config: { 'quarantine-seconds': 2 } }, async (opened) => {
  stage = opened;
  [a, b, c] = stage.hosts as [ClusterHost, ClusterHost, ClusterHost];
  await createOverlay(stage, { name: 'ov', subnet: '10.77.0.0/16', args: ['-o', 'mode=block'] });
  [onA, onB, onC] = [await container(lab, a, 'ov'), await container(lab, b, 'ov'), await container(lab, c, 'ov')];
  await untilWhole();
});

describe('a network whose hosts have blocks', () => {
  it('joins containers of all hosts, with a key a block in the store and none a container', async () => {
    for (const [from, to] of [
      [onA, onB],
      [onB, onC],
      [onC, onA],
    ] as const)
      expect(await from.ping(to.address)).toBe(true);
    const before = await blockKeys();
    expect(Object.keys(before).sort()).toEqual(blocksOf(onA, onB, onC).sort());
    const second = await container(lab, a, 'ov');
    expect(blockOf(second)).toBe(blockOf(onA));
    expect(await onC.ping(second.address)).toBe(true);
    expect(await blockKeys()).toEqual(before);
    expect((await stage.etcd.ctl('get', '--prefix', '--keys-only', '/tsnet/v1/ep/')).stdout.trim()).toBe('');
    await second.leave();
  });

  it('shows its hosts with their blocks, and differs nowhere from what it should be', async () => {
    const [network] = JSON.parse(await b.tsnet('inspect', 'ov')) as readonly {
      readonly Peers: readonly { readonly IP: string; readonly Blocks: readonly string[] }[];
    }[];
    expect(network?.Peers.map(({ IP, Blocks }) => `${IP} ${Blocks.join(' ')}`).sort()).toEqual(
      [onA, onB, onC].map((one) => `${one.on.address} ${blockOf(one)}`).sort(),
    );
    expect(await b.tsnet('info')).toMatch(/ov: 1 addresses here, 3 blocks, 6 entries for other hosts/);
    for (const host of [a, b, c]) expect(await host.tsnet('diff')).toBe('');
    await b.host.must('ip', ['route', 'delete', blockOf(onA)]);
    // The daemon may mend it before anybody else sees it.
    await b.tsnet('repair');
    await untilRoutes(b, blocksOf(onA, onC));
    expect(await onB.ping(onA.address)).toBe(true);
    // A block that nobody has, left from somewhere.
    const nobodys = `${await freeBlock()}0`;
    const device = (await b.host.must('ip', ['-br', 'link', 'show', 'type', 'vxlan'])).split(/[ @]/)[0] ?? '';
    await b.host.must('ip', [
      ...['route', 'add', `${nobodys}/24`, 'via', nobodys, 'dev', device, 'onlink', 'proto', '157'],
    ]);
    expect((await b.host.tsnet(['diff'])).stdout).toContain(`${nobodys}/24`);
    await b.tsnet('repair');
    expect(await b.tsnet('diff')).toBe('');
    expect(await routes(b)).toEqual(blocksOf(onA, onC).sort());
  });

  it('publishes ports on the host of the container', async () => {
    const script = (name: string): string => path.resolve('test/support', name);
    const serve = [process.execPath, script('who-asks.js'), '80'];
    await a.tsnet('run', '-d', '--name', 'web', '-p', '8080:80', '--network', 'ov', '--', ...serve);
    const url = `http://${a.address}:8080/`;
    const fetched = () => c.host.run(process.execPath, [script('fetch.js'), url]);
    await until(async () => (await fetched()).stdout.includes(`you are ${c.address}`));
    await a.tsnet('stop', 'web');
  });

  it('gives an address that was asked for, out of a block that is free or its own, and names the host that has it', async () => {
    const inOwn = onA.address.replace(/\.\d+$/, '.77');
    const own = await container(lab, a, 'ov', ['--ip', inOwn]);
    expect(await onB.ping(inOwn)).toBe(true);
    await expect(container(lab, b, 'ov', ['--ip', inOwn.replace(/77$/, '78')])).rejects.toThrow(
      /is in block 10\.77\.\d+\.0\/24, which host .* has; choose one of this host's/,
    );
    await expect(container(lab, a, 'ov', ['--ip', inOwn.replace(/77$/, '0')])).rejects.toThrow(/nobody's/);
    await own.leave();
    const free = `${await freeBlock()}9`;
    const far = await container(lab, b, 'ov', ['--ip', free]);
    await untilRoutes(a, blocksOf(onB, onC, far));
    expect(await onA.ping(free)).toBe(true);
    await far.leave();
    // Empty for the time that addresses rest, 2 s here.
    await untilRoutes(a, blocksOf(onB, onC), 10_000);
    expect(Object.keys(await blockKeys())).not.toContain(blockOf(far));
  });
});

describe('a network of both families', () => {
  it('has blocks of both, claimed by one key', async () => {
    const args = ['-o', 'mode=block', '-o', 'block-size=26', '--ipv6', '--subnet', 'fd00:78::/64'];
    await createOverlay(stage, { name: 'both', subnet: '10.78.0.0/20', args });
    const [one, two] = [await container(lab, a, 'both'), await container(lab, b, 'both')];
    const [network] = JSON.parse(await b.tsnet('inspect', 'both')) as readonly {
      readonly Containers: Readonly<Record<string, { readonly IPv6Address: string }>>;
      readonly Peers: readonly { readonly Blocks: readonly string[] }[];
    }[];
    const blocks = network?.Peers.flatMap(({ Blocks }) => Blocks) ?? [];
    expect(blocks.filter((block) => /^10\.78\.\d+\.\d+\/26$/.test(block))).toHaveLength(2);
    expect(blocks.filter((block) => /^fd00:78:.*\/70$/.test(block))).toHaveLength(2);
    const six = Object.values(network?.Containers ?? {})[0]?.IPv6Address.split('/')[0] ?? '';
    expect(await one.ping(two.address)).toBe(true);
    expect(await one.ping(six)).toBe(true);
    for (const host of [a, b]) expect(await host.tsnet('diff')).toBe('');
    await one.leave();
    await two.leave();
    await c.tsnet('rm', 'both');
  });
});

describe('names (names=store)', () => {
  const names = async (): Promise<string[]> =>
    (await stage.etcd.ctl('get', '--prefix', '--keys-only', '/tsnet/v1/name')).stdout
      .split('\n')
      .filter((line) => line !== '');
  /** What a container on b is answered: addresses, or what went wrong. */
  const asks = async (name: string): Promise<string> => {
    const { stdout, status } = await b.host.tsnet(['exec', 'asker', 'getent', 'ahostsv4', name]);
    if (status !== 0) return `status ${String(status)}`;
    const addresses = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '');
    return [...new Set(addresses)].sort().join();
  };
  const answers = async (name: string, wanted: () => string, timeoutMs = 10_000): Promise<void> => {
    let last = '';
    await until(async () => (last = await asks(name)) === wanted(), timeoutMs).catch(() => {
      throw new Error(`${name} is ${last}, expected ${wanted()}`);
    });
  };
  const run = async (on: ClusterHost, name: string, ...args: readonly string[]): Promise<string> => {
    await on.tsnet('run', '-d', '--name', name, '--network', 'named', ...args, '--', 'sleep', '600');
    const [view] = JSON.parse(
      `[${(await on.tsnet('exec', name, 'ip', '-j', '-4', 'address', 'show', 'eth0')).trim()}]`,
    ) as [readonly { readonly addr_info: readonly { readonly local: string }[] }[]];
    return view[0]?.addr_info[0]?.local ?? '';
  };
  let web: string;
  let far: string;

  beforeAll(async () => {
    await createOverlay(stage, {
      name: 'named',
      subnet: '10.79.0.0/16',
      args: ['-o', 'mode=block', '-o', 'names=store'],
    });
    await run(b, 'asker');
    // Keeps a block on a.
    await run(a, 'stays');
    web = await run(a, 'web', '--alias', 'all');
    far = await run(c, 'far', '--alias', 'all');
  });

  it('lead to containers on other hosts, and their addresses back to names', async () => {
    await answers('web', () => web);
    await answers('far.named', () => far);
    await answers('all', () => [web, far].sort().join());
    expect(await b.tsnet('exec', 'asker', 'getent', 'hosts', web)).toMatch(/web\.named$/m);
    expect(await b.tsnet('exec', 'asker', 'ping', '-c', '1', '-W', '2', 'web')).toContain(web);
    expect(await names()).toHaveLength(2 * 3 + 2 * 2);
  });

  it('go with their container, and when its daemon was away meanwhile', async () => {
    await a.tsnet('stop', 'web');
    await until(async () => (await names()).length === 7);
    await answers('web', () => 'status 2');
    await answers('all', () => far);
    web = await run(a, 'web', '--alias', 'all');
    await answers('web', () => web);
    await a.killDaemon('SIGKILL');
    await a.tsnet('stop', 'web');
    await a.startDaemon();
    await until(async () => (await names()).length === 7, 10_000);
  });

  it('of a host that is dead are nobody’s, and are back with it without a write', async () => {
    const before = await names();
    await c.killDaemon('SIGKILL');
    await answers('far', () => 'status 2', TTL * 1000 + GRACE_MS + 10_000);
    await c.startDaemon();
    await answers('far', () => far, 15_000);
    expect(await names()).toEqual(before);
  });

  it('do not hold an attach up: one without the store is told of when it is back', async () => {
    await answers('far', () => far);
    await stage.etcd.kill();
    const started = performance.now();
    web = await run(a, 'web');
    expect(performance.now() - started).toBeLessThan(4000);
    expect(await b.tsnet('exec', 'asker', 'ping', '-c', '1', '-W', '2', web)).toContain('1 received');
    expect(await asks('web')).toBe('status 2');
    await stage.etcd.start();
    await answers('web', () => web, 20_000);
    for (const host of [a, b, c]) await until(async () => (await host.info()).session === 'held', 20_000);
  });

  it('leave nothing behind', async () => {
    await a.tsnet('stop', 'web');
    await a.tsnet('stop', 'stays');
    await b.tsnet('stop', 'asker');
    await c.tsnet('stop', 'far');
    await until(async () => (await names()).length === 0);
    await until(async () => (await a.host.tsnet(['rm', 'named'])).status === 0, 20_000);
  });
});

describe('the store', () => {
  it('is killed: containers come and go out of the block, and nothing is forgotten', async () => {
    const before = await blockKeys();
    const elsewhere = `${await freeBlock()}9`;
    await stage.etcd.kill();
    const started = performance.now();
    const more = await container(lab, a, 'ov');
    expect(performance.now() - started).toBeLessThan(2000);
    expect(blockOf(more)).toBe(blockOf(onA));
    expect(await onC.ping(more.address)).toBe(true);
    await expect(container(lab, a, 'ov', ['--ip', elsewhere])).rejects.toThrow(
      /cluster store.*running containers are not affected/,
    );
    await until(async () => (await a.info()).session === 'lost', 10_000);
    const later = await container(lab, a, 'ov');
    expect(await onB.ping(later.address)).toBe(true);
    // A daemon that starts meanwhile knows its block from its journal.
    await a.killDaemon('SIGKILL');
    await a.startDaemon();
    const third = await container(lab, a, 'ov');
    expect(blockOf(third)).toBe(blockOf(onA));
    expect(new Set([onA, more, later, third].map(({ address }) => address)).size).toBe(4);
    await stage.etcd.start();
    await untilWhole();
    for (const one of [more, later, third]) {
      expect(await onC.ping(one.address)).toBe(true);
      await one.leave();
    }
    expect(await blockKeys()).toEqual(before);
  });
});

describe('a host', () => {
  it('dies: the routes to it are gone in time, and are back when it returns without a write', async () => {
    const before = await blockKeys();
    const killed = performance.now();
    await c.killDaemon('SIGKILL');
    await untilRoutes(a, blocksOf(onB), TTL * 1000 + GRACE_MS + 4000);
    await untilRoutes(b, blocksOf(onA), 1000);
    expect(performance.now() - killed).toBeGreaterThan(GRACE_MS);
    expect(await a.entries()).toHaveLength(2);
    await c.startDaemon();
    await untilWhole();
    expect(await onA.ping(onC.address)).toBe(true);
    expect(await blockKeys()).toEqual(before);
  });

  it('whose daemon is killed has the blocks that it had', async () => {
    const before = await blockKeys();
    await a.killDaemon('SIGKILL');
    expect(await onA.ping(onB.address)).toBe(true);
    await a.startDaemon();
    await untilWhole();
    const next = await container(lab, a, 'ov');
    expect(blockOf(next)).toBe(blockOf(onA));
    await next.leave();
    expect(await blockKeys()).toEqual(before);
    expect(await a.tsnet('diff')).toBe('');
  });

  it('whose key somebody deleted claims its block again; another that took it is told of', async () => {
    const [name = ''] = blocksOf(onA);
    const [key = ''] = (await stage.etcd.ctl('get', '--prefix', '--keys-only', '/tsnet/v1/blk/')).stdout
      .split('\n')
      .filter((line) => line.endsWith(name.replace('/', '-')));
    await stage.etcd.ctl('del', key);
    await until(async () => (await blockKeys())[name] !== undefined, 10_000);
    await untilWhole();
    const { hostId } = await b.info();
    await stage.etcd.ctl('put', key, JSON.stringify({ host: hostId }));
    await until(() => Promise.resolve(a.host.daemonLog().includes('another host has a block')), 10_000);
    await untilRoutes(a, [...blocksOf(onB, onC), name]);
    // b has nothing in it and gives it back; a, whose containers are there, takes it again.
    await untilWhole();
    expect(await onA.ping(onC.address)).toBe(true);
  });
});

describe('removing the network', () => {
  it('is refused while a host has containers there, and needs no wait for their blocks', async () => {
    await onA.leave();
    await onB.leave();
    expect((await a.host.tsnet(['rm', 'ov'])).stderr).toMatch(/active endpoints: block 10\.77\.\d+\.0\/24 of host/);
    await until(async () => (await a.tsnet('ls', '--format', '{{.Name}}')).split('\n').includes('ov'));
    // It is as usable as before.
    const again = await container(lab, b, 'ov');
    expect(await onC.ping(again.address)).toBe(true);
    await again.leave();
    await onC.leave();
    await a.tsnet('rm', 'ov');
    await until(async () => !(await c.tsnet('ls', '--format', '{{.Name}}')).split('\n').includes('ov'));
    expect(await blockKeys()).toEqual({});
  });
});
