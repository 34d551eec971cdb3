/** What only some kernels can: each is tested where it is, and refused in one line where it is not. */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, type Host, type Namespace } from '../support/lab.ts';
import { makeLan, reaches, type Lan } from '../support/lan.ts';

/** Why links of a kind cannot be made by this kernel; undefined if they can. Asked in a namespace that is thrown away. */
function lacks(option: string, kind: string, ...rest: readonly string[]): string | undefined {
  const probe = `ip link add base0 type veth peer name base1 && ip link add probe0 ${['link', 'base0', 'type', kind, ...rest].join(' ')}`;
  try {
    execFileSync('unshare', ['--net', 'sh', '-c', probe], { stdio: 'ignore' });
    return undefined;
  } catch {
    return `this kernel has no ${option}`;
  }
}

const NO_DUMMY = lacks('CONFIG_DUMMY', 'dummy');
const NO_VLAN = lacks('CONFIG_VLAN_8021Q', 'vlan', 'id', '5');
const NO_IPVLAN = lacks('CONFIG_IPVLAN', 'ipvlan');

let lab: Lab;
let lan: Lan;
let first: Host;
let second: Host;
let box: Namespace;
let other: Namespace;

beforeEach(async () => {
  lab = new Lab();
  lan = await makeLan(lab, 2);
  [first, second] = lan.hosts as [Host, Host];
  [box, other] = [lab.namespace('box'), lab.namespace('other')];
});
afterEach(() => {
  lab.close();
});

const note = (reason: string | undefined): string => (reason === undefined ? '' : ` (skipped: ${reason})`);

describe('a network without a parent', () => {
  it.skipIf(NO_DUMMY !== undefined)(`stands on a dummy, which goes with it${note(NO_DUMMY)}`, async () => {
    await first.mustTsnet(['create', '-d', 'macvlan', '--subnet', '10.7.0.0/24', 'alone']);
    await first.mustTsnet(['connect', '--ip', '10.7.0.2', 'alone', box.path]);
    await first.mustTsnet(['connect', '--ip', '10.7.0.3', 'alone', other.path]);
    expect(await reaches(box, '10.7.0.3')).toBe(true);
    expect(await first.mustTsnet(['diff'])).toBe('');
    for (const container of [box, other]) await first.mustTsnet(['disconnect', 'alone', container.path]);
    await first.mustTsnet(['rm', 'alone']);
    expect(await first.must('ip', ['-o', 'link'])).not.toContain('dm-');
  });

  it.skipIf(NO_DUMMY === undefined)('is refused, naming what the kernel lacks, and nothing is left', async () => {
    const { status, stderr } = await first.tsnet(['create', '-d', 'macvlan', 'alone']);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/^tsnet: create network alone: .*CONFIG_DUMMY.*-o parent=LINK\n$/);
    expect(await first.mustTsnet(['ls', '--filter', 'type=custom', '-q'])).toBe('');
  });
});

describe('a VLAN sub-interface', () => {
  const create = (name: string, subnet: string): string[] => [
    ...['create', '-d', 'macvlan', '--subnet', subnet, '-o', 'parent=eth0.50', name],
  ];

  it.skipIf(NO_VLAN !== undefined)(`is made, shared, and goes with its last network${note(NO_VLAN)}`, async () => {
    await first.mustTsnet(create('a', '10.7.0.0/24'));
    await first.mustTsnet(create('b', '10.8.0.0/24'));
    await second.mustTsnet(create('a', '10.7.0.0/24'));
    await first.mustTsnet(['connect', '--ip', '10.7.0.2', 'a', box.path]);
    await second.mustTsnet(['connect', '--ip', '10.7.0.3', 'a', other.path]);
    expect(await reaches(box, '10.7.0.3')).toBe(true);
    expect(await first.mustTsnet(['diff'])).toBe('');
    await first.mustTsnet(['rm', 'b']);
    expect(await reaches(box, '10.7.0.3')).toBe(true);
    await first.mustTsnet(['disconnect', 'a', box.path]);
    await first.mustTsnet(['rm', 'a']);
    expect(await first.must('ip', ['-o', 'link'])).not.toContain('eth0.50');
  });

  it.skipIf(NO_VLAN === undefined)('is refused, naming what the kernel lacks, and nothing is left', async () => {
    const { status, stderr } = await first.tsnet(create('a', '10.7.0.0/24'));
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/^tsnet: create network a: .*CONFIG_VLAN_8021Q.*-o parent=LINK\n$/m);
    expect(await first.mustTsnet(['ls', '--filter', 'type=custom', '-q'])).toBe('');
  });
});

describe('ipvlan', () => {
  const create = ['create', '-d', 'ipvlan', '--subnet', '192.168.22.0/24', '--gateway', '192.168.22.1'];

  it.skipIf(NO_IPVLAN !== undefined)(`puts containers on the LAN with the host's MAC${note(NO_IPVLAN)}`, async () => {
    for (const host of [first, second]) await host.mustTsnet([...create, '-o', 'parent=eth0', 'lan']);
    await first.mustTsnet(['connect', '--ip', '192.168.22.200', 'lan', box.path]);
    await second.mustTsnet(['connect', '--ip', '192.168.22.201', 'lan', other.path]);
    expect(await reaches(box, '192.168.22.201')).toBe(true);
    expect(await reaches(box, '192.168.22.1')).toBe(true);
    expect(await first.mustTsnet(['diff'])).toBe('');
    const taken = await second.tsnet(['connect', '--ip', '192.168.22.200', 'lan', lab.namespace('late').path]);
    expect(taken.stderr).toMatch(/in use on the LAN by/);
  });

  it.skipIf(NO_IPVLAN !== undefined)(`leaves by the interface in l3${note(NO_IPVLAN)}`, async () => {
    await first.mustTsnet([...create, '-o', 'parent=eth0', '-o', 'ipvlan_mode=l3', 'lan']);
    await first.mustTsnet(['connect', '--ip', '192.168.22.200', 'lan', box.path]);
    expect(await box.must('ip', ['route', 'show', 'default'])).toMatch(/^default dev eth0/);
    expect(await first.mustTsnet(['diff'])).toBe('');
  });

  it.skipIf(NO_IPVLAN === undefined)('is refused, naming what the kernel lacks, and nothing is left', async () => {
    for (const rehearsal of [['--dry-run'], []]) {
      const { status, stderr } = await first.tsnet([...create, '-o', 'parent=eth0', ...rehearsal, 'lan']);
      expect(status).not.toBe(0);
      expect(stderr).toMatch(/^tsnet: create network lan: .*no ipvlan links.*CONFIG_IPVLAN \(module ipvlan\)\n$/);
    }
    expect(await first.mustTsnet(['ls', '--filter', 'type=custom', '-q'])).toBe('');
  });
});
