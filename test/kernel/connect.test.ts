import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, type Host, type Namespace } from '../support/lab.ts';

let lab: Lab;
let host: Host;

beforeEach(() => {
  lab = new Lab();
  host = lab.host();
});
afterEach(() => {
  lab.close();
});

async function addresses(container: Namespace, link: string): Promise<string[]> {
  const [shown] = JSON.parse(await container.must('ip', ['-j', 'address', 'show', 'dev', link])) as {
    addr_info: { local: string; prefixlen: number; scope: string }[];
  }[];
  return (shown?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

async function defaultRoute(container: Namespace): Promise<string> {
  return (await container.must('ip', ['route', 'show', 'default'])).replace(/ +/g, ' ').trim();
}

describe('tsnet connect', () => {
  it('gives the first container of the default network 172.17.0.2/16, its MAC and its gateway', async () => {
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', 'bridge', `netns:${container.name}`]);
    expect(await addresses(container, 'eth0')).toEqual(['172.17.0.2/16']);
    expect(await container.must('ip', ['link', 'show', 'eth0'])).toContain('link/ether 02:42:ac:11:00:02');
    expect(await defaultRoute(container)).toMatch(/^default via 172\.17\.0\.1 dev eth0/);
    expect((await container.run('ping', ['-c', '1', '-W', '2', '172.17.0.1'])).status).toBe(0);
  });

  it('lets two containers of a network reach each other', async () => {
    const [a, b] = [lab.namespace('a'), lab.namespace('b')];
    await host.mustTsnet(['create', 'web']);
    await host.mustTsnet(['connect', 'web', `netns:${a.name}`]);
    await host.mustTsnet(['connect', 'web', b.path]);
    expect(await addresses(b, 'eth0')).toEqual(['172.18.0.3/16']);
    expect((await a.run('ping', ['-c', '1', '-W', '2', '172.18.0.3'])).status).toBe(0);
  });

  it('connects a process by pid', async () => {
    const container = lab.namespace('c');
    const sleeper = container.start('sleep', ['60']);
    await host.mustTsnet(['connect', 'bridge', `pid:${sleeper.pid ?? 0}`]);
    expect(await addresses(container, 'eth0')).toEqual(['172.17.0.2/16']);
  });

  it('gives the address, MAC and aliases that are asked for, and inspect shows them as Docker does', async () => {
    const container = lab.namespace('c');
    await host.mustTsnet(['create', '--subnet', '10.9.0.0/24', 'web']);
    await host.mustTsnet(['connect', '--ip', '10.9.0.77', '--mac-address', '02:00:00:00:00:77', 'web', container.path]);
    expect(await addresses(container, 'eth0')).toEqual(['10.9.0.77/24']);
    const [network] = JSON.parse(await host.mustTsnet(['inspect', 'web'])) as {
      IPAM: { Config: unknown };
      Containers: Record<string, Record<string, string>>;
    }[];
    expect(network?.IPAM.Config).toEqual([{ Subnet: '10.9.0.0/24', Gateway: '10.9.0.1' }]);
    expect(Object.values(network?.Containers ?? {})).toEqual([
      expect.objectContaining({
        Name: container.name,
        MacAddress: '02:00:00:00:00:77',
        IPv4Address: '10.9.0.77/24',
        IPv6Address: '',
      }),
    ]);
  });

  it('gives IPv6 addresses from a unique local prefix, reachable at once', async () => {
    const [a, b] = [lab.namespace('a'), lab.namespace('b')];
    await host.mustTsnet(['create', '--ipv6', 'six']);
    await host.mustTsnet(['connect', 'six', a.path]);
    await host.mustTsnet(['connect', 'six', b.path]);
    const [, v6] = await addresses(b, 'eth0');
    expect(v6).toMatch(/^fd[0-9a-f:]+::3\/64$/);
    expect((await a.run('ping', ['-6', '-c', '1', '-W', '2', (v6 ?? '').replace('/64', '')])).status).toBe(0);
    expect(await a.must('ip', ['-6', 'route', 'show', 'default'])).toMatch(/default via fd/);
  });

  it('puts a container on several networks; the default route follows the priority, and moves when its network goes', async () => {
    const container = lab.namespace('c');
    for (const name of ['one', 'two', 'three']) await host.mustTsnet(['create', name]);
    await host.mustTsnet(['connect', 'one', container.path]);
    expect(await defaultRoute(container)).toContain('via 172.18.0.1 dev eth0');
    await host.mustTsnet(['connect', 'two', container.path]);
    expect(await defaultRoute(container)).toContain('via 172.18.0.1 dev eth0');
    await host.mustTsnet(['connect', '--gw-priority', '5', 'three', container.path]);
    expect(await defaultRoute(container)).toContain('via 172.20.0.1 dev eth2');
    await host.mustTsnet(['disconnect', 'three', container.path]);
    expect(await defaultRoute(container)).toContain('via 172.18.0.1 dev eth0');
    await host.mustTsnet(['disconnect', 'one', container.path]);
    expect(await defaultRoute(container)).toContain('via 172.19.0.1 dev eth1');
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('leaves a default route alone that was there before', async () => {
    const [container, other] = [lab.namespace('c'), lab.namespace('o')];
    await lab.wire(container, 'up0', ['10.1.0.2/24'], other, 'down0', ['10.1.0.1/24']);
    await container.must('ip', ['route', 'add', 'default', 'via', '10.1.0.1']);
    const { stderr } = await host.tsnet(['connect', 'bridge', container.path]);
    expect(stderr).toContain('default route');
    expect(await defaultRoute(container)).toContain('via 10.1.0.1 dev up0');
    await host.mustTsnet(['disconnect', 'bridge', container.path]);
    expect(await defaultRoute(container)).toContain('via 10.1.0.1 dev up0');
  });

  it('takes everything back on disconnect', async () => {
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', '-p', '8080:80', 'bridge', container.path]);
    await host.mustTsnet(['disconnect', 'bridge', container.path]);
    expect(await container.must('ip', ['-o', 'link'])).not.toContain('eth0');
    expect(await host.must('ip', ['-o', 'link'])).not.toContain('veth');
    expect(await host.must('iptables-save')).not.toContain('8080');
    expect(await host.mustTsnet(['ps', '-q'])).toBe('');
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('disconnects a container whose namespace is gone', async () => {
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', '-p', '8080:80', 'bridge', container.path]);
    container.close();
    await host.mustTsnet(['disconnect', 'bridge', container.name]);
    expect(await host.must('iptables-save')).not.toContain('8080');
  });

  it('prints the plan and makes nothing with --dry-run', async () => {
    const container = lab.namespace('c');
    const plan = await host.mustTsnet(['connect', '--dry-run', '-p', '8080:80', 'bridge', container.path]);
    expect(plan).toContain('address 172.17.0.2/16');
    expect(plan).toContain('8080');
    expect(await container.must('ip', ['-o', 'link'])).not.toContain('eth0');
    expect(await host.must('ip', ['-o', 'link'])).not.toContain('tsnet0');
    expect(JSON.parse(await host.mustTsnet(['info', '--format', 'json']))).toMatchObject({ endpoints: 0, leases: 0 });
  });

  describe('refuses, with one line that says why', () => {
    const refusals: [string, (container: Namespace) => string[], RegExp][] = [
      [
        'a network that is not there, naming the nearest',
        (c) => ['connect', 'bridgee', c.path],
        /network bridgee not found; did you mean "bridge"\?/,
      ],
      ['a namespace that is not there', () => ['connect', 'bridge', 'netns:nope'], /nope/],
      ['a process that is not there', () => ['connect', 'bridge', 'pid:4194300'], /4194300/],
      ['the host itself', () => ['connect', 'bridge', '/proc/self/ns/net'], /network of the host/],
      ['the host network', (c) => ['connect', 'host', c.path], /host/],
      ['the none network', (c) => ['connect', 'none', c.path], /none/],
      [
        'an address outside the subnet',
        (c) => ['connect', '--ip', '10.0.0.1', 'bridge', c.path],
        /10\.0\.0\.1.*172\.17\.0\.0\/16/,
      ],
      ['the gateway address', (c) => ['connect', '--ip', '172.17.0.1', 'bridge', c.path], /gateway/],
      [
        'an IPv6 address without an IPv6 subnet',
        (c) => ['connect', '--ip6', 'fd00::1', 'bridge', c.path],
        /no IPv6 subnet/,
      ],
      ['a bad MAC', (c) => ['connect', '--mac-address', 'zz', 'bridge', c.path], /zz/],
      ['a bad port', (c) => ['connect', '-p', '80:99999', 'bridge', c.path], /99999/],
    ];
    it.each(refusals)('%s', async (_what, command, message) => {
      const container = lab.namespace('c');
      const { status, stdout, stderr } = await host.tsnet(command(container));
      expect({ status, stdout }).toEqual({
        status: expect.toSatisfy((code: number) => code === 1 || code === 125) as number,
        stdout: '',
      });
      expect(stderr.trim()).toMatch(message);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(await container.must('ip', ['-o', 'link'])).not.toContain('eth0');
      expect(JSON.parse(await host.mustTsnet(['info', '--format', 'json']))).toMatchObject({
        endpoints: 0,
        leases: 0,
        pending: 0,
      });
    });

    it('a second connection to the same network', async () => {
      const container = lab.namespace('c');
      await host.mustTsnet(['connect', 'bridge', container.path]);
      const { status, stderr } = await host.tsnet(['connect', 'bridge', container.path]);
      expect(status).toBe(1);
      expect(stderr).toContain('connected already');
    });

    it('an address that is taken, naming the holder', async () => {
      const [a, b] = [lab.namespace('a'), lab.namespace('b')];
      await host.mustTsnet(['connect', '--ip', '172.17.0.9', 'bridge', a.path]);
      const { status, stderr } = await host.tsnet(['connect', '--ip', '172.17.0.9', 'bridge', b.path]);
      expect(status).toBe(1);
      expect(stderr).toContain(`held by container ${a.name}`);
    });

    it('a container when the pool is empty', async () => {
      const [a, b] = [lab.namespace('a'), lab.namespace('b')];
      await host.mustTsnet(['create', '--subnet', '10.9.0.0/30', 'tiny']);
      await host.mustTsnet(['connect', 'tiny', a.path]);
      const { status, stderr } = await host.tsnet(['connect', 'tiny', b.path]);
      expect(status).toBe(1);
      expect(stderr).toMatch(/no free IPv4 address in network tiny/);
      await host.mustTsnet(['disconnect', 'tiny', a.path]);
      await host.mustTsnet(['connect', 'tiny', b.path]);
    });
  });
});
