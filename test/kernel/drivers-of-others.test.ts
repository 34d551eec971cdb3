import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
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

/** A driver that makes one veth an endpoint, as a file that stands alone; `change` replaces what is broken about it. */
function driver(change = ''): string {
  return `export default ({ defineDriver }) => defineDriver({
    name: 'wire', api: 1, scope: 'local', ipam: 'pools',
    options: { type: 'object', properties: {}, additionalProperties: false }, aliases: {},
    parseSettings: (settings) => settings,
    configure: () => ({}),
    endpointDefaults: () => ({ interfacePrefix: 'eth', publishAddress: '0.0.0.0', refusesPorts: 'it has no NAT' }),
    networkPlan: () => [],
    endpointPlan: (network, settings, endpoint) => [
      { kind: 'veth', sandbox: endpoint.sandboxId, host: endpoint.hostLink, peer: endpoint.interfaceName, mtu: 1500,
        mac: endpoint.mac, hairpin: false, isolated: false, tag: 'tsnet:' + endpoint.id },
      { kind: 'address', place: { sandbox: endpoint.sandboxId }, link: endpoint.interfaceName,
        address: endpoint.addresses[0].address },
    ],
    ${change}
  });\n`;
}

function use(files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(host.dir, file), text);
  writeFileSync(
    path.join(host.dir, 'daemon.json'),
    JSON.stringify({ drivers: Object.keys(files).map((file) => `./${file}`) }),
  );
}

/** Everything of the host that a driver could change. */
async function hostState(): Promise<string> {
  const parts = [
    await host.must('ip', ['-o', 'address']),
    await host.must('ip', ['route', 'show', 'table', 'all']),
    await host.must('sysctl', ['net.ipv4.conf.all.rp_filter', 'net.ipv4.conf.lo.rp_filter']),
    await host.must('iptables-save', ['-t', 'filter']),
  ];
  // Counters and dates.
  return parts
    .join('\n')
    .replace(/^#.*$/gm, '')
    .replace(/\[\d+:\d+\]/g, '');
}

describe('a driver of daemon.json', () => {
  it('makes networks, and takes them away again', async () => {
    use({ 'wire.mjs': driver() });
    const container = lab.namespace('c');
    await host.mustTsnet(['create', '-d', 'wire', '--subnet', '10.8.0.0/24', 'lan']);
    await host.mustTsnet(['connect', 'lan', container.path]);
    expect(await container.must('ip', ['-o', 'address', 'show', 'dev', 'eth0'])).toContain('10.8.0.2/24');
    expect(await host.mustTsnet(['ls', '--format', '{{.Name}} {{.Driver}}'])).toContain('lan wire');
    expect(await host.mustTsnet(['diff'])).toBe('');
    await host.mustTsnet(['disconnect', 'lan', container.path]);
    await host.mustTsnet(['rm', 'lan']);
    expect(await host.must('ip', ['-o', 'link'])).not.toContain('veth');
  });

  it('is listed by info, with the reason where it cannot be used', async () => {
    use({ 'wire.mjs': driver(), 'old.mjs': driver("name: 'old', api: 7"), 'broken.mjs': 'export default {' });
    const info = await host.mustTsnet(['info']);
    expect(info).toContain('wire (local, ./wire.mjs)');
    expect(info).toMatch(
      /\.\/old\.mjs cannot be used: load driver \.\/old\.mjs: it speaks driver API 7 and this tsnet speaks 1/,
    );
    expect(info).toMatch(/\.\/broken\.mjs cannot be used: .*SyntaxError/);
  });

  it('that cannot be used is in the way of nobody else', async () => {
    use({ 'broken.mjs': 'throw new Error("no");' });
    const container = lab.namespace('c');
    expect(await host.mustTsnet(['ls', '-q'])).not.toBe('');
    await host.mustTsnet(['connect', 'bridge', container.path]);
    expect(await host.mustTsnet(['diff'])).toBe('');
    const { status, stderr } = await host.tsnet(['create', '-d', 'wire', 'lan']);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^tsnet: create network lan: there is no driver "wire"; drivers: bridge, .*; load driver \.\/broken\.mjs: it failed while it was loaded \(Error: no\); mend it, or take it out of daemon\.json\n$/,
    );
  });

  it('that is named by mistake is told apart from those that exist', async () => {
    use({ 'wire.mjs': driver() });
    const { stderr } = await host.tsnet(['create', '-d', 'wier', 'lan']);
    expect(stderr).toMatch(/there is no driver "wier"; did you mean "wire"\?; drivers: bridge, .*wire/);
  });

  const evil: [string, string, RegExp][] = [
    ['throws in configure', "configure: () => { throw new TypeError('x') },", /failed in configure \(TypeError: x\)/],
    ['answers a promise', 'networkPlan: async () => [],', /a promise/],
    [
      "gives an address to the host's loopback",
      "networkPlan: () => [{ kind: 'address', place: 'host', link: 'lo', address: '10.8.0.1/24' }],",
      /address 10\.8\.0\.1\/24 on lo: lo is a link that neither/,
    ],
    [
      "routes by somebody else's link",
      "networkPlan: () => [{ kind: 'route', place: 'host', family: 4, destination: '10.8.0.0/24', link: 'lo' }],",
      /not its own/,
    ],
    [
      'sets a parameter of the whole host',
      "networkPlan: () => [{ kind: 'sysctl', place: 'host', key: 'net/ipv4/conf/all/rp_filter', value: '2', mode: 'set' }],",
      /parameter of the whole host/,
    ],
  ];
  it.each(evil)('that %s is refused, and nothing is made', async (_what, change, message) => {
    use({ 'wire.mjs': driver(change) });
    const before = await hostState();
    const { status, stdout, stderr } = await host.tsnet(['create', '-d', 'wire', '--subnet', '10.8.0.0/24', 'lan']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain('driver wire (./wire.mjs)');
    expect(JSON.parse(await host.mustTsnet(['info', '--format', 'json']))).toMatchObject({ networks: 3, pending: 0 });
    expect(await hostState()).toBe(before);
  });

  it('whose endpoint touches what is not its own is refused, and nothing is leased', async () => {
    use({
      'wire.mjs': driver("endpointPlan: () => [{ kind: 'link-up', place: 'host', link: 'lo' }],"),
    });
    const container = lab.namespace('c');
    await host.mustTsnet(['create', '-d', 'wire', '--subnet', '10.8.0.0/24', 'lan']);
    const { status, stderr } = await host.tsnet(['connect', 'lan', container.path]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/link lo up: lo is a link that neither this network makes/);
    expect(JSON.parse(await host.mustTsnet(['info', '--format', 'json']))).toMatchObject({
      endpoints: 0,
      leases: 0,
      pending: 0,
    });
  });
});

describe('when the driver of a network is gone', () => {
  it('other networks go on, repair leaves what it made alone, and everything works once it is back', async () => {
    use({ 'wire.mjs': driver() });
    const [one, two] = [lab.namespace('one'), lab.namespace('two')];
    await host.mustTsnet(['create', '-d', 'wire', '--subnet', '10.8.0.0/24', 'lan']);
    await host.mustTsnet(['connect', 'lan', one.path]);
    rmSync(path.join(host.dir, 'wire.mjs'));

    expect(await host.mustTsnet(['ls', '--format', '{{.Name}}'])).toContain('lan');
    await host.mustTsnet(['connect', 'bridge', two.path]);
    const { status, stdout } = await host.tsnet(['diff']);
    expect(status).toBe(2);
    expect(stdout).toMatch(/wrong +network lan +driver wire: use network lan: its driver wire is not there/);
    expect(stdout).not.toContain('orphaned');
    await host.tsnet(['repair']);
    await host.tsnet(['gc']);
    expect(await one.must('ip', ['-o', 'link', 'show', 'dev', 'eth0'])).toContain('eth0');
    const refused = await host.tsnet(['disconnect', 'lan', one.path]);
    expect(refused.stderr).toMatch(/its driver wire is not there or cannot be used \(daemon\.json: \.\/wire\.mjs\)/);

    use({ 'wire.mjs': driver() });
    expect(await host.mustTsnet(['diff'])).toBe('');
    await host.mustTsnet(['disconnect', 'lan', one.path]);
    await host.mustTsnet(['rm', 'lan']);
  });
});
