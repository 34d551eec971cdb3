import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Plan } from '../../src/plan/resource.ts';
import { party, type Variant } from './firewall-scene.ts';
import { ipLink } from './kernel-stage.ts';
import { Cluster, ping, type Container, type Member, type Overlay } from './overlay-stage.ts';

let cluster: Cluster;
beforeEach(() => {
  cluster = new Cluster();
});
afterEach(() => cluster.close());

test('over IPv6 between the hosts: both families within, with 70 bytes less', async () => {
  const [one, two] = (await cluster.start(2)).members as [Member, Member];
  const ov = await cluster.network({ cluster: { outerFamily: 6 } });
  const a = await ov.container(one, { addresses: ['10.77.0.11/16', 'fd00:77::11/64'] });
  await ov.container(two, { addresses: ['10.77.0.12/16', 'fd00:77::12/64'] });
  expect(await ping(a.ns, '10.77.0.12', '-M', 'do', '-s', '1402')).toBe(true);
  expect(await ping(a.ns, 'fd00:77::12', '-M', 'do', '-s', '1382')).toBe(true);
  expect((await ipLink('eth0', a.ns)).mtu).toBe(1430);
  for (const member of [one, two]) {
    expect(await member.drift([...ov.guard(member), ...ov.plan(member), ...ov.peers(member)])).toEqual([]);
  }
  await two.remove(ov.guard(two).slice(-1));
  expect(await ping(a.ns, '10.77.0.12'), 'a host that is not known is not heard').toBe(false);
});

test('subnets of one network: containers of two of them speak directly, over hosts too', async () => {
  const [one, two] = (await cluster.start(2)).members as [Member, Member];
  const pools = ['10.78.1', '10.78.2'].map((net) => ({ subnet: `${net}.0/24`, gateway: `${net}.1`, aux: {} }));
  const ov = await cluster.network({ pools });
  const a = await ov.container(one, { addresses: ['10.78.1.11/24'] });
  const b = await ov.container(two, { addresses: ['10.78.2.12/24'] });
  const c = await ov.container(one, { addresses: ['10.78.2.13/24'] });
  await b.inside.listen(80);
  await c.inside.listen(80);
  expect(await a.inside.dial('10.78.2.12', 80)).toBe('c1 sees 10.78.1.11 at 80');
  expect(await a.inside.dial('10.78.2.13', 80)).toBe('c2 sees 10.78.1.11 at 80');
  expect(await ping(b.ns, '10.78.1.11')).toBe(true);
  const world = party(cluster.underlay, 'world');
  await world.listen(7000);
  expect(await b.inside.dial('192.168.77.250', 7000)).toBe('world sees 192.168.77.2 at 7000');
});

test('an internal network joins the hosts, and leads nowhere else', async () => {
  const [one, two] = (await cluster.start(2)).members as [Member, Member];
  const ov = await cluster.network({ internal: true });
  const a = await ov.container(one, { addresses: ['10.77.0.11/16', 'fd00:77::11/64'] });
  await ov.container(two, { addresses: ['10.77.0.12/16', 'fd00:77::12/64'] });
  expect(await ping(a.ns, '10.77.0.12')).toBe(true);
  expect(await ping(a.ns, 'fd00:77::12')).toBe(true);
  await a.ns.must('ip', ['route', 'add', 'default', 'via', '10.77.0.1']);
  expect(await ping(a.ns, '192.168.77.250')).toBe(false);
});

test('a container asks for a MAC again after a tenth of a second', async () => {
  const [one] = (await cluster.start(1)).members as [Member];
  const ov = await cluster.network();
  const a = await ov.container(one, { addresses: ['10.77.0.11/16', 'fd00:77::11/64'] });
  for (const family of ['ipv4', 'ipv6']) {
    expect(await a.ns.must('sysctl', ['-n', `net.${family}.neigh.eth0.retrans_time_ms`])).toBe('100');
  }
  // Nobody has told of the other yet: it is asked for until it is there.
  const patient = a.ns.run('ping', ['-c', '1', '-W', '5', '10.77.0.12']);
  const mac = '02:42:0a:4d:00:0c';
  await one.ensure(ov.peer(one, { kind: 'endpoint', addresses: ['10.77.0.12'], mac, vtep: '192.168.77.9' }));
  await patient;
  expect(await a.ns.must('ip', ['neigh', 'show', '10.77.0.12'])).toContain(mac);
});

describe.each<Variant>(['iptables-nft', 'nftables'])('blocks of addresses a host, rules in %s', (variant) => {
  const SUBNETS = [
    { subnet: '10.79.0.0/16', gateway: '10.79.0.1', aux: {} },
    { subnet: 'fd00:79::/48', gateway: 'fd00:79::1', aux: {} },
  ];
  let members: readonly Member[];
  let ov: Overlay;
  let a: Container, b: Container, beside: Container;

  const blocksOf = ({ number }: Member): string[] => [`10.79.${number}.0/24`, `fd00:79:0:${number}::/64`];
  const peers = (member: Member): Plan =>
    members
      .filter((other) => other !== member)
      .flatMap((other) => ov.peer(member, { kind: 'blocks', blocks: blocksOf(other), vtep: ov.vtepOf(other) }));

  beforeEach(async () => {
    await cluster.close();
    cluster = new Cluster(variant);
    members = (await cluster.start(3)).members;
    const [one, two] = members as [Member, Member];
    ov = await cluster.network({ pools: SUBNETS, options: { mode: 'block' } });
    for (const member of members) await member.ensure(peers(member));
    a = await ov.container(one, { addresses: ['10.79.1.11/16', 'fd00:79:0:1::11/48'] });
    b = await ov.container(two, { addresses: ['10.79.2.12/16', 'fd00:79:0:2::12/48'] });
    beside = await ov.container(one, { addresses: ['10.79.1.13/16', 'fd00:79:0:1::13/48'] });
    for (const container of [b, beside]) await container.inside.listen(80);
  });

  test('a flat subnet to the containers, a route a block to the hosts', async () => {
    expect(await a.inside.dial('10.79.2.12', 80)).toBe('c1 sees 10.79.1.11 at 80');
    expect(await a.inside.dial('fd00:79:0:2::12', 80)).toBe('c1 sees fd00:79:0:1::11 at 80');
    expect(await a.inside.dial('10.79.1.13', 80)).toBe('c2 sees 10.79.1.11 at 80');
    expect(await a.inside.dial('fd00:79:0:1::13', 80)).toBe('c2 sees fd00:79:0:1::11 at 80');
    expect(await a.ns.must('ip', ['route', 'get', '10.79.2.12'])).not.toContain('via');
    expect(await ping(a.ns, '10.79.2.12', '-M', 'do', '-s', '1422')).toBe(true);
    expect(await ping(a.ns, '10.79.9.9'), 'a block that nobody has').toBe(false);

    const world = party(cluster.underlay, 'world');
    await world.listen(7000);
    expect(await a.inside.dial('192.168.77.250', 7000)).toBe('world sees 192.168.77.1 at 7000');
    expect(await b.inside.dial('2001:db8:77::250', 7000)).toBe('world sees 2001:db8:77::2 at 7000');

    for (const member of members) {
      expect(await member.drift([...ov.guard(member), ...ov.plan(member), ...peers(member)])).toEqual([]);
    }
  });

  test('what differs is told and mended; hosts are no way to elsewhere', async () => {
    const [one, two] = members as [Member, Member];
    const device = ov.setting('device');
    await one.host.must('ip', ['route', 'delete', '10.79.2.0/24']);
    await one.host.must('ip', ['neigh', 'delete', '10.79.2.0', 'dev', device]);
    expect(await one.drift(peers(one))).toEqual(['neighbour missing', 'route missing']);
    expect(await ping(a.ns, '10.79.2.12')).toBe(false);
    await one.ensure(peers(one));
    expect(await ping(a.ns, '10.79.2.12')).toBe(true);

    // A host that sends the packets of its containers for the world to another one.
    await one.host.must('ip', ['route', 'add', '192.168.77.250/32', 'via', '10.79.2.0', 'dev', device, 'onlink']);
    await one.host.must('sysctl', ['-qw', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.eth0.rp_filter=0']);
    await two.host.must('sysctl', ['-qw', 'net.ipv4.conf.all.rp_filter=0', `net.ipv4.conf.${device}.rp_filter=0`]);
    const world = party(cluster.underlay, 'world');
    await world.listen(7001, 'udp');
    await a.inside.probe('192.168.77.250', 7001, 'udp');
    expect(await world.heard(7001)).toBe(0);
    await one.host.must('ip', ['route', 'delete', '192.168.77.250/32']);
    expect(await a.inside.dial('192.168.77.250', 7001, 'udp')).toBe('world sees 192.168.77.1 at 7001');

    await one.remove(ov.peer(one, { kind: 'blocks', blocks: blocksOf(two), vtep: ov.vtepOf(two) }));
    expect(await ping(a.ns, '10.79.2.12')).toBe(false);
    expect(await one.host.must('bridge', ['fdb', 'show', 'dev', device])).not.toContain('dst 192.168.77.2 ');
  });
});
