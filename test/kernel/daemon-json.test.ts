import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, type Host } from '../support/lab.ts';

/** As it was found on a user's machine. */
const DOCKER_FILE = {
  'registry-mirrors': ['https://mirror.example.com'],
  bip: '192.168.1.5/24',
  'fixed-cidr': '192.168.1.5/25',
  'fixed-cidr-v6': '2001:db8::/64',
  mtu: 1500,
  'default-gateway': '192.168.1.1',
  'default-gateway-v6': '2001:db8:abcd::89',
  dns: ['114.114.114.114', '100.100.2.138'],
};

let lab: Lab;
let host: Host;

beforeEach(() => {
  lab = new Lab();
  host = lab.host();
});
afterEach(() => {
  lab.close();
});

function configure(file: unknown): void {
  writeFileSync(host.env['TSNET_CONFIG'] ?? '', typeof file === 'string' ? file : JSON.stringify(file));
}

describe('daemon.json', () => {
  it("of a user's Docker works as it stands", async () => {
    configure(DOCKER_FILE);
    await host.mustTsnet(['config', 'check']);
    const seen = await host.mustTsnet([
      'run',
      '--',
      'sh',
      '-c',
      'ip -o -4 address show eth0; ip route; cat /etc/resolv.conf',
    ]);
    expect(seen).toContain('inet 192.168.1.2/24');
    expect(seen).toContain('default via 192.168.1.1 dev eth0');
    expect(seen.match(/^nameserver .*/gm)).toEqual(['nameserver 114.114.114.114', 'nameserver 100.100.2.138']);
    expect(await host.must('ip', ['address', 'show', 'dev', 'tsnet0'])).toContain('inet 192.168.1.5/24');
  });

  it('changes the default network once no container is on it', async () => {
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', 'bridge', container.path]);
    configure({ bip: '10.30.0.1/24', mtu: 1400 });
    expect(await host.mustTsnet(['inspect', '--format', '{{json .IPAM.Config}}', 'bridge'])).toContain('172.17.0.0/16');
    await host.mustTsnet(['disconnect', 'bridge', container.path]);
    await host.mustTsnet(['connect', 'bridge', container.path]);
    expect(await container.must('ip', ['address', 'show', 'dev', 'eth0'])).toMatch(
      /mtu 1400[\s\S]*inet 10\.30\.0\.2\/24/,
    );
    expect(await host.must('ip', ['-o', '-4', 'address', 'show', 'dev', 'tsnet0'])).not.toContain('172.17');
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('uses a bridge of the administrator for the default network and never deletes it', async () => {
    await host.must('ip', ['link', 'add', 'br0', 'type', 'bridge']);
    await host.must('ip', ['address', 'add', '10.7.0.1/24', 'dev', 'br0']);
    await host.must('ip', ['link', 'set', 'br0', 'up']);
    configure({ bridge: 'br0' });
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', 'bridge', container.path]);
    expect(await container.must('ip', ['address', 'show', 'dev', 'eth0'])).toContain('inet 10.7.0.2/24');
    await host.mustTsnet(['disconnect', 'bridge', container.path]);
    configure({ bridge: 'none' });
    expect(await host.mustTsnet(['ls', '--format', '{{.Name}}'])).toBe('host\nnone');
    expect(await host.must('ip', ['address', 'show', 'dev', 'br0'])).toContain('10.7.0.1/24');
  });

  it('cuts networks from default-address-pools and says when they are used up', async () => {
    configure({ 'default-address-pools': [{ base: '10.40.0.0/23', size: 24 }] });
    await host.mustTsnet(['create', 'one']);
    await host.mustTsnet(['create', 'two']);
    const { status, stderr } = await host.tsnet(['create', 'three']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/default-address-pools/);
  });

  const bad: [string, unknown, RegExp][] = [
    ['an unknown key, naming the nearest', { bipp: '10.0.0.1/8' }, /bipp.*bip/],
    ['a bad value, with its place', { mtu: 'big' }, /\/mtu.*big/],
    ['text that is no JSON, with line and column', '{\n  "mtu": }', /2:\d+/],
    ['a gateway outside the subnet', { bip: '10.0.0.1/24', 'default-gateway': '10.9.0.1' }, /default-gateway/],
    [
      'a bridge of the administrator together with bip',
      { bridge: 'br0', bip: '10.0.0.1/24' },
      /bridge.*bip|bip.*bridge/,
    ],
  ];
  it.each(bad)('with %s is refused by every command', async (_what, file, message) => {
    configure(file);
    for (const command of [['config', 'check'], ['ls'], ['create', 'web']]) {
      const { status, stderr, stdout } = await host.tsnet(command);
      expect({ command, status }).toEqual({ command, status: 1 });
      expect(stderr + stdout).toMatch(message);
    }
  });

  it('with ip6tables false writes IPv4 rules only, and misses no others', async () => {
    configure({ ip6tables: false });
    await host.mustTsnet(['create', '--ipv6', 'six']);
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', '-p', '8080:80', 'six', container.path]);
    expect(await host.must('iptables-save')).toContain('8080');
    expect(await host.must('ip6tables-save')).not.toContain('TSNET');
    expect(await host.mustTsnet(['diff'])).toBe('');
    await host.mustTsnet(['disconnect', 'six', container.path]);
    await host.mustTsnet(['rm', 'six']);
  });

  it('with iptables false leaves the firewall alone', async () => {
    configure({ iptables: false, ip6tables: false });
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', 'bridge', container.path]);
    expect(await host.must('iptables-save')).not.toContain('TSNET');
    expect((await container.run('ping', ['-c', '1', '-W', '1', '172.17.0.1'])).status).toBe(0);
  });
});
