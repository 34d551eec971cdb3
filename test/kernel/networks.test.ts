import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, type Host } from '../support/lab.ts';

let lab: Lab;
let host: Host;

beforeEach(() => {
  lab = new Lab();
  host = lab.host();
});
afterEach(() => {
  lab.close();
});

async function connectNew(network: string): Promise<string> {
  const container = lab.namespace('c');
  await host.mustTsnet(['connect', network, container.path]);
  return container.name;
}

describe('networks', () => {
  it('has bridge, host and none without being told, in the columns of docker network ls', async () => {
    const lines = (await host.mustTsnet(['ls'])).split('\n');
    expect(lines[0]).toMatch(/^NETWORK ID +NAME +DRIVER +SCOPE$/);
    expect(lines.slice(1).map((line) => line.split(/ {2,}/).slice(1))).toEqual([
      ['bridge', 'bridge', 'local'],
      ['host', 'host', 'local'],
      ['none', 'null', 'local'],
    ]);
  });

  it('creates a bridge with the gateway address, and removes it again', async () => {
    const id = await host.mustTsnet(['create', '--label', 'team=a', 'web']);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const bridge = `tsn-${id.slice(0, 11)}`;
    expect(await host.must('ip', ['address', 'show', 'dev', bridge])).toContain('inet 172.18.0.1/16');
    expect(await host.must('sysctl', ['-n', 'net.ipv4.ip_forward'])).toBe('1');
    expect(await host.mustTsnet(['ls', '-q', '--filter', 'label=team=a'])).toBe(id.slice(0, 12));
    expect(await host.mustTsnet(['ls', '--format', '{{.Name}}|{{.Driver}}', '--filter', 'type=custom'])).toBe(
      'web|bridge',
    );
    expect(await host.mustTsnet(['rm', 'web'])).toBe('web');
    expect(await host.must('ip', ['-o', 'link'])).not.toContain(bridge);
    expect(await host.must('iptables-save')).not.toContain('172.18');
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('uses a bridge that exists already and leaves it behind', async () => {
    await host.must('ip', ['link', 'add', 'br0', 'type', 'bridge']);
    await host.must('ip', ['address', 'add', '10.7.0.1/24', 'dev', 'br0']);
    await host.must('ip', ['link', 'set', 'br0', 'up']);
    await host.mustTsnet(['create', '--subnet', '10.7.0.0/24', '-o', 'bridge.name=br0', 'theirs']);
    await connectNew('theirs');
    expect((await host.tsnet(['rm', 'theirs'])).stderr).toContain('active endpoints');
    await host.mustTsnet(
      ['disconnect', 'theirs', (await host.mustTsnet(['ps', '--format', '{{.Name}}'])) || '?'].slice(0, 3),
    );
    await host.mustTsnet(['rm', 'theirs']);
    expect(await host.must('ip', ['address', 'show', 'dev', 'br0'])).toContain('10.7.0.1/24');
  });

  it('chooses a subnet that neither a network nor a route of the host has', async () => {
    const other = lab.namespace('vpn');
    await lab.wire(host, 'vpn0', ['172.18.5.1/24'], other, 'vpn0', ['172.18.5.2/24']);
    await host.mustTsnet(['create', 'one']);
    await host.mustTsnet(['create', 'two']);
    const subnets = await host.mustTsnet([
      'inspect',
      '--format',
      '{{range .IPAM.Config}}{{.Subnet}}{{end}}',
      'one',
      'two',
    ]);
    expect(subnets.split('\n')).toEqual(['172.19.0.0/16', '172.20.0.0/16']);
  });

  it('warns when an explicit subnet hides a route of the host', async () => {
    const other = lab.namespace('vpn');
    await lab.wire(host, 'vpn0', ['10.8.5.1/24'], other, 'vpn0', ['10.8.5.2/24']);
    const { status, stderr } = await host.tsnet(['create', '--subnet', '10.8.0.0/16', 'web']);
    expect(status).toBe(0);
    expect(stderr).toMatch(/10\.8\.0\.0\/16 overlaps this host's route 10\.8\.5\.0\/24 dev vpn0/);
  });

  it('prunes what nobody uses and keeps what somebody does', async () => {
    await host.mustTsnet(['create', 'used']);
    await host.mustTsnet(['create', 'unused']);
    await connectNew('used');
    expect(await host.mustTsnet(['prune', '-f'])).toBe('Deleted Networks:\nunused');
    expect(await host.mustTsnet(['ls', '-q', '--filter', 'name=used', '--format', '{{.Name}}'])).toBe('used');
  });

  it('prints what it would make, and makes nothing, with --dry-run', async () => {
    const plan = await host.mustTsnet(['create', '--dry-run', 'web']);
    expect(plan).toMatch(/bridge tsn-/);
    expect(plan).toMatch(/172\.18\.0\.1\/16/);
    expect(await host.mustTsnet(['ls', '-q', '--filter', 'type=custom'])).toBe('');
    expect(await host.must('ip', ['-o', 'link'])).not.toContain('tsn-');
  });

  describe('refuses', () => {
    const refusals: [string, string[], number, RegExp][] = [
      ['a name that is taken', ['create', 'web'], 1, /exists/],
      ['a predefined name', ['create', 'bridge'], 1, /predefined/],
      ['an empty name', ['create', ''], 1, /name/],
      ['a subnet that another network has, naming it', ['create', '--subnet', '172.18.3.0/24', 'b'], 1, /network web/],
      ['a subnet with host bits', ['create', '--subnet', '10.0.0.1/8', 'b'], 1, /10\.0\.0\.0\/8/],
      [
        'a gateway outside the subnet',
        ['create', '--subnet', '10.1.0.0/16', '--gateway', '10.2.0.1', 'b'],
        1,
        /10\.2\.0\.1/,
      ],
      [
        'a range outside the subnet',
        ['create', '--subnet', '10.1.0.0/16', '--ip-range', '10.2.0.0/24', 'b'],
        1,
        /10\.2\.0\.0\/24/,
      ],
      ['an unknown driver, naming those there are', ['create', '-d', 'nope', 'b'], 1, /nope.*bridge/],
      [
        'an unknown option, naming the nearest',
        ['create', '-o', 'bridge.nam=x', 'b'],
        1,
        /did you mean "bridge\.name"/,
      ],
      ['a bad option value', ['create', '-o', 'com.docker.network.driver.mtu=big', 'b'], 1, /mtu=big/],
      [
        'a bridge name that is no link name',
        ['create', '-o', 'bridge.name=a-name-far-too-long', 'b'],
        1,
        /bridge\.name/,
      ],
      ['removing a predefined network', ['rm', 'bridge'], 1, /predefined/],
      ['removing what is not there', ['rm', 'wob'], 1, /wob not found; did you mean "web"/],
      ['an unknown flag', ['create', '--nope', 'b'], 125, /nope/],
      ['a missing argument', ['create'], 125, /./],
      ['a filter that is none', ['ls', '--filter', 'colour=red'], 1, /colour/],
      ['a filter without =', ['ls', '--filter', 'colour'], 125, /colour/],
    ];
    it.each(refusals)('%s', async (_what, command, status, message) => {
      await host.mustTsnet(['create', 'web']);
      const before = await host.must('ip', ['-o', 'link']);
      const outcome = await host.tsnet(command);
      expect(outcome.stderr).toMatch(message);
      expect({ status: outcome.status, stdout: outcome.stdout }).toEqual({ status, stdout: '' });
      expect(await host.must('ip', ['-o', 'link'])).toBe(before);
      expect(await host.mustTsnet(['ls', '--format', '{{.Name}}', '--filter', 'type=custom'])).toBe('web');
    });

    it('removing a network in use, naming the containers', async () => {
      await host.mustTsnet(['create', 'web']);
      const name = await connectNew('web');
      const { status, stderr } = await host.tsnet(['rm', 'web']);
      expect(status).toBe(1);
      expect(stderr).toContain(name);
    });

    it('an ambiguous prefix of an id', async () => {
      const names = Array.from({ length: 17 }, (_, index) => `n${index}`);
      for (const name of names) await host.mustTsnet(['create', '--subnet', `10.${name.slice(1)}.0.0/24`, name]);
      const ids = (await host.mustTsnet(['ls', '-q', '--no-trunc'])).split('\n');
      const twice = ids.map(([first]) => first).find((digit, index, all) => all.indexOf(digit) !== index) ?? '';
      const { status, stderr } = await host.tsnet(['inspect', twice]);
      expect(status).toBe(1);
      expect(stderr).toMatch(/ids start with it/);
    });

    it('a container more than a bridge has ports, saying so and leaving nothing', async () => {
      const id = await host.mustTsnet(['create', 'web']);
      const ports = Array.from({ length: 1023 }, (_, index) => {
        const link = `full${index}`;
        return `link add ${link} type veth peer name peer${index}\nlink set ${link} master tsn-${id.slice(0, 11)}\n`;
      });
      await host.must('ip', ['-batch', '-'], { input: ports.join('') });
      const container = lab.namespace('c');
      const { status, stderr } = await host.tsnet(['connect', 'web', container.path]);
      expect(status).toBe(1);
      expect(stderr).toMatch(/1,023 ports/);
      expect(await container.must('ip', ['-o', 'link'])).not.toContain('eth0');
      expect(JSON.parse(await host.mustTsnet(['info', '--format', 'json']))).toMatchObject({ endpoints: 0, leases: 0 });
    });

    it('forwarding when daemon.json says hands off, telling what to do', async () => {
      const { writeFileSync } = await import('node:fs');
      writeFileSync(host.env['TSNET_CONFIG'] ?? '', '{"ip-forward": false}');
      await host.must('sysctl', ['-qw', 'net.ipv4.ip_forward=0']);
      const { status, stderr } = await host.tsnet(['create', 'web']);
      expect(status).toBe(1);
      expect(stderr).toMatch(/ip_forward/);
      expect(await host.must('sysctl', ['-n', 'net.ipv4.ip_forward'])).toBe('0');
      expect(await host.must('ip', ['-o', 'link'])).not.toContain('tsn-');
    });
  });
});
