import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Plan } from '../../src/plan/resource.ts';
import { must, until } from '../support/lab.ts';
import { filterBridgedFrames, party, type Variant } from './firewall-scene.ts';
import { ipLink } from './kernel-stage.ts';
import { Cluster, ping, PORT, type Container, type Member, type Overlay } from './overlay-stage.ts';

describe.each<Variant>(['iptables-nft', 'nftables'])('an overlay over three hosts, rules in %s', (variant) => {
  let cluster: Cluster;
  let members: readonly [Member, Member, Member];
  let ov: Overlay;
  let a: Container, b: Container, c: Container;
  let device: string;
  let bridge: string;

  beforeAll(async () => {
    cluster = await new Cluster(variant).start(3);
    members = cluster.members as unknown as typeof members;
    ov = await cluster.network();
    device = ov.setting('device');
    bridge = ov.setting('bridge');
    a = await ov.container(members[0], { addresses: ['10.77.0.11/16', 'fd00:77::11/64'] });
    const port = { protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80, count: 1 } as const;
    const addresses = ['10.77.0.12/16', 'fd00:77::12/64'];
    b = await ov.container(members[1], { addresses, ports: [port, { ...port, hostAddress: '::' }] });
    c = await ov.container(members[2], { addresses: ['10.77.0.13/16', 'fd00:77::13/64'] });
    await b.inside.listen(80);
  });
  afterAll(() => cluster.close());

  test('containers reach each other, by IPv4 and IPv6', async () => {
    for (const [from, to] of [
      [a, 12],
      [a, 13],
      [b, 13],
      [c, 11],
    ] as const) {
      expect(await ping(from.ns, `10.77.0.${to}`)).toBe(true);
      expect(await ping(from.ns, `fd00:77::${to}`)).toBe(true);
    }
  });

  test('a container sees the address of the other', async () => {
    expect(await a.inside.dial('10.77.0.12', 80)).toBe('c1 sees 10.77.0.11 at 80');
    expect(await c.inside.dial('fd00:77::12', 80)).toBe('c1 sees fd00:77::13 at 80');
  });

  test('a firewall that drops what it forwards, and sees bridged frames, does not cut them', async ({ skip }) => {
    if (variant === 'nftables') skip('a drop of others is final there');
    await members[0].host.must('iptables-nft', ['-P', 'FORWARD', 'DROP']);
    await members[0].host.must('ip6tables-nft', ['-P', 'FORWARD', 'DROP']);
    if (!(await filterBridgedFrames(members[0].host, 'on'))) skip('this kernel has no br_netfilter');
    expect(await ping(a.ns, '10.77.0.12')).toBe(true);
    expect(await ping(a.ns, 'fd00:77::12')).toBe(true);
    expect(await ping(b.ns, '10.77.0.11')).toBe(true);
  });

  test('what nobody told of is dropped, not flooded', async () => {
    /** Frames that left in VXLAN: the device does not count what it drops. */
    const sent = async (): Promise<number> => {
      const text = await members[0].host.must('ip', ['-s', '-j', 'link', 'show', 'type', 'vxlan']);
      const links = JSON.parse(text) as { readonly stats64: { readonly tx: { readonly packets: number } } }[];
      return links.reduce((sum, { stats64 }) => sum + stats64.tx.packets, 0);
    };
    const first = await sent();
    await ping(a.ns, '10.77.0.12');
    const before = await sent();
    expect(before).toBeGreaterThan(first);
    expect(await ping(a.ns, '10.77.0.99')).toBe(false);
    expect(await ping(a.ns, 'fd00:77::99')).toBe(false);
    await a.ns.must('ip', 'neigh replace 10.77.0.98 lladdr 02:42:0a:4d:00:62 dev eth0 nud permanent'.split(' '));
    expect(await ping(a.ns, '10.77.0.98')).toBe(false);
    expect(await ping(a.ns, '10.77.255.255', '-b')).toBe(false);
    expect(await sent()).toBe(before);
  });

  test('out into the world with the address of the host', async () => {
    const world = party(cluster.underlay, 'world');
    await world.listen(7000);
    expect(await a.inside.dial('192.168.77.250', 7000)).toBe('world sees 192.168.77.1 at 7000');
    expect(await b.inside.dial('2001:db8:77::250', 7000)).toBe('world sees 2001:db8:77::2 at 7000');
  });

  test('a published port is on the host of its container, with the address of the client', async () => {
    const world = party(cluster.underlay, 'world');
    expect(await world.dial('192.168.77.2', 8080)).toBe('c1 sees 192.168.77.250 at 80');
    expect(await world.dial('2001:db8:77::2', 8080)).toBe('c1 sees 2001:db8:77::250 at 80');
    expect(await world.probe('192.168.77.1', 8080)).toBe('refused');
    expect(await a.inside.dial('192.168.77.2', 8080)).toBe('c1 sees 192.168.77.1 at 80');
    expect(await b.inside.dial('192.168.77.2', 8080)).toBe('c1 sees 10.77.0.1 at 80');
  });

  test('packets of the largest size fit into those of the underlay', async () => {
    expect((await ipLink('eth0', a.ns)).mtu).toBe(1450);
    expect(await ping(a.ns, '10.77.0.12', '-M', 'do', '-s', '1422')).toBe(true);
    expect(await ping(a.ns, '10.77.0.12', '-M', 'do', '-s', '1423')).toBe(false);
    const { status } = await members[0].host.run('ping', '-c 1 -W 1 -M do -s 1473 192.168.77.2'.split(' '));
    expect(status, 'the underlay takes no more than it was said to').not.toBe(0);
  });

  test('no source NAT of others touches VXLAN packets', async () => {
    const { host } = members[0];
    await host.must('ip', ['address', 'add', '192.168.77.101/24', 'dev', 'eth0']);
    const table =
      'table ip theirs { chain p { type nat hook postrouting priority 100; oifname eth0 snat to 192.168.77.101; }; }';
    // Flows that are known keep what was decided of them: host 3 has not been spoken to for this long, but rather be sure.
    if (variant === 'nftables') await host.must('nft', [table]);
    else await host.must('iptables-nft', '-t nat -A POSTROUTING -o eth0 -j SNAT --to-source 192.168.77.101'.split(' '));
    await host.run('conntrack', ['-F']);
    expect(await ping(a.ns, '10.77.0.13')).toBe(true);
    await host.must('ip', ['address', 'delete', '192.168.77.101/24', 'dev', 'eth0']);
    if (variant === 'nftables') await host.must('nft', ['delete', 'table', 'ip', 'theirs']);
    else await host.must('iptables-nft', '-t nat -D POSTROUTING -o eth0 -j SNAT --to-source 192.168.77.101'.split(' '));
  });

  test('a stranger of the underlay is not heard, unless the cluster knows it', async () => {
    const stranger = await cluster.stranger('192.168.77.66');
    for (const command of [
      `link add vx type vxlan id 4097 dstport ${PORT} local 192.168.77.66 nolearning`,
      'link set vx up mtu 1450',
      'address add 10.77.0.66/16 dev vx',
      `neigh add 10.77.0.12 lladdr ${b.endpoint.mac} dev vx nud permanent`,
    ]) {
      await stranger.must('ip', command.split(' '));
    }
    await stranger.must('bridge', `fdb add ${b.endpoint.mac} dev vx dst 192.168.77.2 self permanent`.split(' '));
    const intruder = party(stranger, 'intruder');
    await b.inside.listen(9000, 'udp');
    await intruder.probe('10.77.0.12', 9000, 'udp');
    expect(await b.inside.heard(9000)).toBe(0);
    const known: Plan = [{ kind: 'vtep', family: 4, port: PORT, address: '192.168.77.66' }];
    await members[1].ensure(known);
    await intruder.probe('10.77.0.12', 9000, 'udp');
    expect(await b.inside.heard(9000)).toBe(1);
    await members[1].remove(known);
    await intruder.probe('10.77.0.12', 9000, 'udp');
    expect(await b.inside.heard(9000)).toBe(1);
    expect(await ping(a.ns, '10.77.0.12'), 'the others are still heard').toBe(true);
  });

  describe('what differs from the plan', () => {
    const all = (member: Member): Plan => [...ov.guard(member), ...ov.plan(member), ...ov.peers(member)];
    const [mac, mac3] = ['02:42:0a:4d:00:0c', '02:42:0a:4d:00:0d'];

    test('is nothing at first', async () => {
      for (const member of members) expect(await member.drift(all(member))).toEqual([]);
    });

    test('is an entry that is gone or leads elsewhere, and a neighbour that is gone', async () => {
      const [{ host }] = members;
      await host.must('bridge', `fdb del ${mac} dev ${device} dst 192.168.77.2 self`.split(' '));
      await host.must('bridge', `fdb replace ${mac3} dev ${device} dst 192.168.77.2 self permanent`.split(' '));
      await host.must('ip', `neigh del 10.77.0.12 dev ${device}`.split(' '));
      expect(await members[0].drift(all(members[0]))).toEqual([
        'fdb missing',
        'neighbour missing',
        `fdb wrong: ${mac3} lives at 192.168.77.2 instead of 192.168.77.3`,
      ]);
      await members[0].ensure(all(members[0]));
      expect(await members[0].drift(all(members[0]))).toEqual([]);
      expect(await ping(a.ns, '10.77.0.13')).toBe(true);
    });

    test('is a device that is gone, and what hung on it', async () => {
      const { host } = members[0];
      await host.must('ip', ['link', 'delete', device]);
      expect(await members[0].drift(all(members[0]))).toEqual([
        'vxlan missing',
        'fdb missing',
        'neighbour missing',
        'neighbour missing',
        'fdb missing',
        'neighbour missing',
        'neighbour missing',
      ]);
      await members[0].ensure(all(members[0]));
      expect(await members[0].drift(all(members[0]))).toEqual([]);
      expect(await ping(a.ns, 'fd00:77::12')).toBe(true);
    });

    test('is a device that is down, no port of its bridge, or of another network', async () => {
      const { host } = members[0];
      await host.must('ip', ['link', 'set', device, 'nomaster', 'down', 'mtu', '1400']);
      expect(await members[0].drift(ov.plan(members[0]))).toEqual([
        `vxlan wrong: mtu of ${device} is 1400 instead of 1450; ${device} is down; ${device} is not a port of ${bridge}`,
      ]);
      await members[0].ensure(all(members[0]));
      await host.must('ip', ['link', 'delete', device]);
      await host.must('ip', `link add ${device} type vxlan id 9 dstport 4790`.split(' '));
      expect(await members[0].drift(ov.plan(members[0]))).toEqual([`vxlan wrong: ${device} is not ours: alias ""`]);
      await expect(members[0].ensure(ov.plan(members[0]))).rejects.toThrow(/is not ours .* delete or rename it/);
      await host.must('ip', ['link', 'set', device, 'alias', `tsnet:${ov.record.id}`]);
      expect((await members[0].drift(ov.plan(members[0]))).join()).toMatch(
        /identifier is 9 instead of 4097; its port is 4790 instead of 4789; .* is none .*learns .*proxy off/,
      );
      await members[0].ensure(all(members[0]));
      expect(await members[0].drift(all(members[0]))).toEqual([]);
      expect(await ping(a.ns, '10.77.0.12')).toBe(true);
    });

    test('is what no plan names, where all remote ends are known', async () => {
      const { host } = members[0];
      await host.must('bridge', `fdb add 02:42:0a:4d:00:63 dev ${device} dst 192.168.77.9 self permanent`.split(' '));
      await host.must('ip', `neigh add 10.77.0.99 lladdr 02:42:0a:4d:00:63 dev ${device} nud permanent`.split(' '));
      const entries = (closed: ReadonlySet<string>) =>
        members[0].withKernel(async (kernel) =>
          (await kernel.orphans(all(members[0]), closed)).filter(({ kind }) => kind === 'fdb' || kind === 'neighbour'),
        );
      expect(await entries(new Set())).toEqual([]);
      const strays = await entries(new Set([device]));
      expect(strays).toEqual([
        { kind: 'neighbour', link: device, address: '10.77.0.99', mac: '02:42:0a:4d:00:63' },
        { kind: 'fdb', link: device, mac: '02:42:0a:4d:00:63', vtep: '192.168.77.9' },
      ]);
      await members[0].withKernel((kernel) => kernel.sweep(strays));
      expect(await entries(new Set([device]))).toEqual([]);
      expect(await members[0].drift(all(members[0]))).toEqual([]);
    });

    test('is a guard that lost a host; who knows no cluster finds nothing too much', async () => {
      const guard = ov.guard(members[0]);
      const rules = (plan: Plan) =>
        members[0].withKernel(async (kernel) =>
          (await kernel.orphans(plan)).filter((one) => one.kind === 'rule' && one.family === 4),
        );
      expect(await rules(ov.plan(members[0]))).toEqual([]);
      expect(await rules([...ov.plan(members[0]), ...guard.slice(0, -1)])).toHaveLength(1);
      await members[0].remove(guard.slice(-1));
      expect(await members[0].drift(guard)).toEqual(['vtep missing']);
      await members[0].ensure(guard);
      expect(await members[0].drift(guard)).toEqual([]);
    });
  });

  test('an entry that leads to another host by now outlives the removal of the old one', async () => {
    const { host } = members[2];
    await host.must('bridge', `fdb replace ${a.endpoint.mac} dev ${device} dst 192.168.77.2 self permanent`.split(' '));
    await members[2].remove(ov.peer(members[2], ov.peerOf(a)));
    const [fdb, neighbours] = [
      await host.must('bridge', ['fdb', 'show', 'dev', device]),
      await host.must('ip', ['neigh', 'show', 'dev', device]),
    ];
    expect(fdb).toContain(`${a.endpoint.mac} dst 192.168.77.2`);
    expect(neighbours).not.toContain('10.77.0.11');
  });

  test('is taken away without a trace', async () => {
    for (const container of ov.containers) await container.at.remove(ov.endpointPlan(container.at, container.endpoint));
    for (const member of members) {
      await member.remove([...ov.plan(member), ...ov.peers(member)]);
      await member.remove(ov.guard(member));
      const links = JSON.parse(await must('ip', ['-n', member.host.name, '-j', 'link'])) as { ifname: string }[];
      expect(links.map(({ ifname }) => ifname).sort()).toEqual(['eth0', 'lo']);
      const rules = await member.withKernel((kernel) => kernel.orphans(ov.guard(member).slice(0, 1)));
      expect(rules).toEqual([]);
      await until(async () => !(await member.host.must('ss', ['-lun'])).includes(`:${PORT}`));
    }
  });
});
