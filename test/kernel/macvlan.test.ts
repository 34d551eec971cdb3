import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, until, type Host, type Namespace } from '../support/lab.ts';
import { makeLan, reaches, type Lan } from '../support/lan.ts';

let lab: Lab;
let lan: Lan;
let first: Host;
let second: Host;
let box: Namespace;

beforeEach(async () => {
  lab = new Lab();
  lan = await makeLan(lab, 2);
  [first, second] = lan.hosts as [Host, Host];
  box = lab.namespace('box');
});
afterEach(() => {
  lab.close();
});

const SUBNET = ['--subnet', '192.168.22.0/24', '--gateway', '192.168.22.1', '-o', 'parent=eth0'];

/** A macvlan network on eth0; without probes, which are tested elsewhere. */
function create(host: Host, ...options: readonly string[]): Promise<string> {
  return host.mustTsnet(['create', '-d', 'macvlan', ...SUBNET, '-o', 'address_probe=false', ...options, 'lan']);
}

function connect(host: Host, container: Namespace, ip: string, ...options: readonly string[]): Promise<string> {
  return host.mustTsnet(['connect', '--ip', ip, ...options, 'lan', container.path]);
}

async function linksOf(host: Namespace): Promise<string> {
  return host.must('ip', ['-o', 'link']);
}

describe('macvlan', () => {
  it('puts containers of two hosts on one LAN, where they, the router and the other host reach each other', async () => {
    const other = lab.namespace('other');
    for (const host of [first, second]) {
      await host.mustTsnet(['create', '-d', 'macvlan', ...SUBNET, 'lan']);
    }
    await connect(first, box, '192.168.22.200');
    await connect(second, other, '192.168.22.201');
    expect(await reaches(box, '192.168.22.201')).toBe(true);
    expect(await reaches(other, '192.168.22.200')).toBe(true);
    expect(await reaches(box, '192.168.22.1')).toBe(true);
    expect(await reaches(second, '192.168.22.200')).toBe(true);
    expect(await box.must('ip', ['route', 'show', 'default'])).toContain('default via 192.168.22.1 dev eth0');
    expect(await box.must('ip', ['link', 'show', 'eth0'])).toContain('02:42:c0:a8:16:c8');
    await first.mustTsnet(['disconnect', 'lan', box.path]);
    expect(await linksOf(box)).not.toContain('eth0');
  });

  it('runs a program on the LAN', async () => {
    await create(first);
    const shown = await first.mustTsnet(['run', '--network', 'lan', '--ip', '192.168.22.200', 'ip', 'address']);
    expect(shown).toContain('192.168.22.200/24');
  });

  it('announces where an address is now', async () => {
    await create(first);
    await create(second);
    await connect(first, box, '192.168.22.200');
    await reaches(lan.router, '192.168.22.200');
    await first.mustTsnet(['disconnect', 'lan', box.path]);
    // With another MAC than before: the router would go on sending to the old one.
    await connect(second, box, '192.168.22.200', '--mac-address', '02:42:00:00:00:99');
    const neighbours = (): Promise<string> => lan.router.must('ip', ['neighbour', 'show', '192.168.22.200']);
    expect(await until(async () => (await neighbours()).includes('02:42:00:00:00:99'))).toBe(true);
  });

  it('keeps host and container apart, as the kernel does, and says so', async () => {
    const { stderr } = await first.tsnet(['create', '-d', 'macvlan', ...SUBNET, 'lan']);
    expect(stderr).toMatch(/this host and its containers on lan will not reach each other.*host_access=true/);
    const inspect = (): Promise<string> => first.mustTsnet(['inspect', '--format', '{{.Caveat}}', 'lan']);
    expect(await inspect()).toMatch(/^this host and its containers on lan will not reach each other/);
    await connect(first, box, '192.168.22.200');
    expect(await reaches(first, '192.168.22.200')).toBe(false);
    expect(await reaches(box, '192.168.22.11')).toBe(false);
  });

  it('refuses to publish ports, and says where they are', async () => {
    await create(first);
    const { status, stderr } = await first.tsnet(['connect', '-p', '80', 'lan', box.path]);
    expect(status).not.toBe(0);
    expect(stderr).toContain('the container has an address of its own on the LAN');
    expect(await linksOf(box)).not.toContain('eth0');
  });

  it('carries IPv6 as well, without what routers announce', async () => {
    await create(first, '--ipv6', '--subnet', 'fd22::/64', '--gateway', 'fd22::1');
    await connect(first, box, '192.168.22.200', '--ip6', 'fd22::200');
    expect(await reaches(box, 'fd22::1')).toBe(true);
    expect(await reaches(second, 'fd22::200')).toBe(true);
    expect(await box.must('sysctl', ['-n', 'net.ipv6.conf.eth0.accept_ra'])).toBe('0');
    expect(await box.must('ip', ['-6', 'route', 'show', 'default'])).toContain('via fd22::1');
  });

  it('gives an internal network no way out', async () => {
    await create(first, '--internal');
    await connect(first, box, '192.168.22.200');
    expect(await box.must('ip', ['route', 'show', 'default'])).toBe('');
  });
});

describe('networks of one LAN', () => {
  const network = (name: string, ...options: readonly string[]): string[] => [
    ...['create', '-d', 'macvlan', '--subnet', '192.168.22.0/24', '-o', 'parent=eth0', '-o', 'address_probe=false'],
    ...[...options, name],
  ];
  const low = ['--ip-range', '192.168.22.128/28'];
  const high = ['--ip-range', '192.168.22.144/28'];

  it('share its subnet, and reach each other', async () => {
    const other = lab.namespace('other');
    await first.mustTsnet(network('low', ...low, '--gateway', '192.168.22.1'));
    await first.mustTsnet(network('high', ...high, '--gateway', '192.168.22.1'));
    await first.mustTsnet(['connect', 'low', box.path]);
    await first.mustTsnet(['connect', 'high', other.path]);
    expect(await reaches(box, '192.168.22.144')).toBe(true);
    expect(await reaches(other, '192.168.22.1')).toBe(true);
    expect(await first.mustTsnet(['diff'])).toBe('');
  });

  it.each([
    [['--ip-range', '192.168.22.136/30'], /range 192\.168\.22\.136\/30 overlaps 192\.168\.22\.128\/28 of network low/],
    [[], /subnet 192\.168\.22\.0\/24 is that of network low, too; .* and this one has none/],
  ])('do not give the same addresses: %j', async (range, why) => {
    await first.mustTsnet(network('low', ...low));
    const { status, stderr } = await first.tsnet(network('high', ...range));
    expect(status).not.toBe(0);
    expect(stderr).toMatch(why);
  });

  it("need a range each, and their subnet is no other network's", async () => {
    await first.mustTsnet(network('all'));
    expect((await first.tsnet(network('high', ...high))).stderr).toMatch(
      /that of network all, too; .* and all has none/,
    );
    const bridge = await first.tsnet(['create', '--subnet', '192.168.22.0/24', 'web']);
    expect(bridge.stderr).toMatch(/192\.168\.22\.0\/24 is taken by network all/);
  });

  it("keep to what is not the other's where an address is asked for by name", async () => {
    await first.mustTsnet(network('low', ...low));
    await first.mustTsnet(network('high', ...high));
    const ask = async (ip: string): Promise<string> =>
      (await first.tsnet(['connect', '--ip', ip, 'high', lab.namespace('ask').path])).stderr;
    expect(await ask('192.168.22.129')).toMatch(/192\.168\.22\.129 is in the --ip-range of network low/);
    await first.mustTsnet(['connect', '--ip', '192.168.22.200', 'low', box.path]);
    expect(await ask('192.168.22.200')).toMatch(/192\.168\.22\.200 is held by container \S+ on network low/);
    expect(await ask('192.168.22.201')).toBe('');
  });
});

describe('macvlan with host_access', () => {
  it('lets host and containers reach each other, and takes every trace of it away with them', async () => {
    // Hosts that are strict about where packets and requests come in.
    await first.must('sysctl', ['-qw', 'net.ipv4.conf.all.rp_filter=1', 'net.ipv4.conf.all.arp_ignore=1']);
    // The address that the kernel would send from if nobody told it which: the first one that it finds.
    await first.must('ip', ['address', 'add', '10.99.99.99/32', 'dev', 'lo']);
    const before = await linksOf(first);
    await create(first, '-o', 'host_access=true', '--ipv6', '--subnet', 'fd22::/64');
    await connect(first, box, '192.168.22.200', '--ip6', 'fd22::200');
    for (const [from, address] of [
      [first, '192.168.22.200'],
      [first, 'fd22::200'],
      [box, '192.168.22.11'],
      [box, 'fd22::11'],
      [second, '192.168.22.200'],
    ] as const) {
      expect({ address, reached: await reaches(from, address) }).toEqual({ address, reached: true });
    }
    expect(await first.mustTsnet(['diff'])).toBe('');
    await first.mustTsnet(['disconnect', 'lan', box.path]);
    expect(await first.must('ip', ['route'])).not.toContain('192.168.22.200');
    expect(await first.must('ip', ['neighbour'])).not.toContain('192.168.22.200');
    await first.mustTsnet(['rm', 'lan']);
    expect(await linksOf(first)).toBe(before);
  });

  it('never lets the LAN hear of the shim, which it would take for the host', async () => {
    await create(first, '-o', 'host_access=true');
    await connect(first, box, '192.168.22.200');
    const shim = /tsm-[0-9a-f]{11}/.exec(await linksOf(first))?.[0] ?? '?';
    const mac = /link\/ether (\S+)/.exec(await first.must('ip', ['link', 'show', shim]))?.[1] ?? '?';
    const rules = `table bridge t { chain c { type filter hook prerouting priority 0; ether saddr ${mac} arp operation 1-2 counter; }; }`;
    await lan.router.must('nft', ['-f', '-'], { input: rules });
    expect(await reaches(second, '192.168.22.11')).toBe(true);
    expect(await reaches(first, '192.168.22.200')).toBe(true);
    expect(await reaches(box, '192.168.22.11')).toBe(true);
    expect(await lan.router.must('nft', ['list', 'table', 'bridge', 't'])).toContain('counter packets 0 bytes 0');
  });

  it('gives a host without an address in the subnet the one reserved for it', async () => {
    await first.must('ip', ['address', 'flush', 'dev', 'eth0']);
    const refused = await first.tsnet(['create', '-d', 'macvlan', ...SUBNET, '-o', 'host_access=true', 'lan']);
    expect(refused.stderr).toMatch(/needs an address of this host in 192\.168\.22\.0\/24.*--aux-address host=/);
    await create(first, '-o', 'host_access=true', '--aux-address', 'host=192.168.22.2');
    await connect(first, box, '192.168.22.200');
    expect(await reaches(box, '192.168.22.2')).toBe(true);
    expect(await reaches(first, '192.168.22.200')).toBe(true);
  });
});

describe('the modes of macvlan', () => {
  const siblings = async (mode: string): Promise<Namespace> => {
    const sibling = lab.namespace('sibling');
    await create(first, '-o', `macvlan_mode=${mode}`);
    await connect(first, box, '192.168.22.200');
    await connect(first, sibling, '192.168.22.201');
    expect(await reaches(box, '192.168.22.12')).toBe(true);
    return sibling;
  };

  it('bridge: containers of one host reach each other', async () => {
    await siblings('bridge');
    expect(await reaches(box, '192.168.22.201')).toBe(true);
  });

  it('private: they do not, even if the switch sends their frames back', async () => {
    await siblings('private');
    await lan.router.must('bridge', ['link', 'set', 'dev', 'port0', 'hairpin', 'on']);
    expect(await reaches(box, '192.168.22.201')).toBe(false);
  });

  it('vepa: they do if the switch sends their frames back', async () => {
    await siblings('vepa');
    expect(await reaches(box, '192.168.22.201')).toBe(false);
    await lan.router.must('bridge', ['link', 'set', 'dev', 'port0', 'hairpin', 'on']);
    // The neighbour that could not be found is asked for again only after a while.
    expect(await until(() => reaches(box, '192.168.22.201'))).toBe(true);
  });

  it('passthru: one container has the parent to itself, and its MAC', async () => {
    await create(first, '-o', 'macvlan_mode=passthru');
    await connect(first, box, '192.168.22.200');
    const mac = /link\/ether (\S+)/.exec(await first.must('ip', ['link', 'show', 'eth0']))?.[1] ?? '?';
    expect(await box.must('ip', ['link', 'show', 'eth0'])).toContain(mac);
    expect(await reaches(box, '192.168.22.12')).toBe(true);
    expect(await first.mustTsnet(['diff'])).toBe('');
    const second_ = await first.tsnet(['connect', 'lan', lab.namespace('late').path]);
    expect(second_.stderr).toMatch(/passthru gives it to one alone/);
    const rival = ['create', '-d', 'macvlan', '--subnet', '10.7.0.0/24', '-o', 'parent=eth0', 'rival'];
    expect((await first.tsnet(rival)).stderr).toMatch(/network lan .*passthru has its parent to itself/);
    expect((await first.tsnet(['connect', '--mac-address', '02:42:0:0:0:1', 'lan', box.path])).status).not.toBe(0);
  });

  it('share a parent, but for passthru', async () => {
    await create(first);
    await first.mustTsnet(['create', '-d', 'macvlan', '--subnet', '10.7.0.0/24', '-o', 'parent=eth0', 'more']);
    await connect(first, box, '192.168.22.200');
    await first.mustTsnet(['connect', 'more', box.path]);
    expect(await first.mustTsnet(['diff'])).toBe('');
  });
});
