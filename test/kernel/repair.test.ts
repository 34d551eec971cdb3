import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FIREWALL_BACKENDS, Lab, until, type FirewallBackend, type Host, type Namespace } from '../support/lab.ts';

const FETCH = path.resolve(import.meta.dirname, '../support/fetch.js');
const WHO_ASKS = path.resolve(import.meta.dirname, '../support/who-asks.js');

let lab: Lab;
let host: Host;
let client: Namespace;
let web: Namespace;
let box: Namespace;

async function stage(backend: FirewallBackend): Promise<void> {
  lab = new Lab();
  host = lab.host();
  host.useFirewall(backend);
  client = lab.namespace('client');
  web = lab.namespace('web');
  box = lab.namespace('box');
  await lab.wire(host, 'eth0', ['192.168.50.1/24'], client, 'eth0', ['192.168.50.9/24']);
  await host.mustTsnet(['connect', '-p', '8080:80', 'bridge', web.path]);
  await host.mustTsnet(['connect', 'bridge', box.path]);
  web.start(process.execPath, [WHO_ASKS, '80']);
  await until(works);
}
afterEach(() => {
  lab.close();
});

async function works(): Promise<boolean> {
  const published = await client.run(process.execPath, [FETCH, 'http://192.168.50.1:8080/']);
  const out = await box.run('ping', ['-c', '1', '-W', '1', '192.168.50.9']);
  const between = await box.run('ping', ['-c', '1', '-W', '1', '172.17.0.2']);
  return published.status === 0 && out.status === 0 && between.status === 0;
}

async function hostVeth(): Promise<string> {
  const links = JSON.parse(await host.must('ip', ['-j', 'link', 'show', 'master', 'tsnet0'])) as { ifname: string }[];
  return links[0]?.ifname ?? '';
}

/** What people do to a firewall, and what diff says of it. */
const FIREWALL_DAMAGE: Readonly<Record<FirewallBackend, readonly [string, string, RegExp][]>> = {
  iptables: [
    ['the nat table', 'iptables -t nat -F', /publish/],
    ['the nat chains', 'iptables -t nat -F && iptables -t nat -X', /publish/],
    ['the filter table', 'iptables -F && iptables -X', /isolat/],
    ['the raw table', 'iptables -t raw -F', /isolat/],
    ['everything in the firewall', 'nft flush ruleset', /publish/],
    ['a jump', 'iptables -D FORWARD -j TSNET-FORWARD', /FORWARD/],
  ],
  nftables: [
    ['everything in the firewall', 'nft flush ruleset', /publish/],
    ['the table', 'nft delete table inet tsnet', /publish/],
    ['what forwards', 'nft flush chain inet tsnet forward', /chain forward: all rules are gone/],
    ['what isolates', 'nft flush chain inet tsnet enter', /chain enter: all rules are gone/],
    ['a published port', "nft 'flush map inet tsnet ports4'", /missing.*publish/],
    ['our bridges', 'nft flush set inet tsnet isolated', /isolated: element/],
  ],
};

describe.each(FIREWALL_BACKENDS)('diff and repair, with %s,', (backend) => {
  beforeEach(() => stage(backend));

  it('are silent when nothing is wrong, and repair rewrites nothing', async () => {
    const rules = await host.must('nft', ['-a', 'list', 'ruleset']);
    const links = await host.must('ip', ['-o', 'link']);
    expect(await host.mustTsnet(['diff'])).toBe('');
    expect(await host.mustTsnet(['repair'])).toBe('');
    const bare = (text: string): string => text.replace(/packets \d+ bytes \d+/g, '');
    expect(bare(await host.must('nft', ['-a', 'list', 'ruleset']))).toBe(bare(rules));
    expect(await host.must('ip', ['-o', 'link'])).toBe(links);
  });

  const damage: [string, () => Promise<unknown>, RegExp][] = [
    ['the bridge', () => host.must('ip', ['link', 'delete', 'tsnet0']), /missing.*bridge tsnet0/],
    ['a veth', async () => host.must('ip', ['link', 'delete', await hostVeth()]), /missing.*veth/],
    ['a container address', () => web.must('ip', ['address', 'flush', 'dev', 'eth0']), /missing.*172\.17\.0\.2\/16/],
    ['the bridge address', () => host.must('ip', ['address', 'flush', 'dev', 'tsnet0']), /missing.*172\.17\.0\.1\/16/],
    ['a default route', () => box.must('ip', ['route', 'delete', 'default']), /missing.*route 0\.0\.0\.0\/0/],
    ...FIREWALL_DAMAGE[backend].map(([what, command, named]): [string, () => Promise<unknown>, RegExp] => [
      what,
      () => host.must('sh', ['-c', command]),
      named,
    ]),
    ['a sysctl', () => host.must('sysctl', ['-qw', 'net.ipv4.ip_forward=0']), /wrong.*ip_forward/],
    [
      'a port out of its bridge',
      async () => host.must('ip', ['link', 'set', await hostVeth(), 'nomaster']),
      /wrong.*veth/,
    ],
    ['a link that is down', async () => host.must('ip', ['link', 'set', 'tsnet0', 'down']), /wrong.*bridge tsnet0/],
  ];
  it.each(damage)('find and mend the loss of %s', async (_what, break_, named) => {
    await break_();
    const { status, stdout } = await host.tsnet(['diff']);
    expect({ status, named: named.test(stdout), stdout }).toMatchObject({ status: 2, named: true });
    await host.mustTsnet(['repair']);
    expect(await host.mustTsnet(['diff'])).toBe('');
    expect(await works()).toBe(true);
  });

  it('sweep what is tagged ours and belongs to nothing, and nothing else', async () => {
    await host.must('ip', ['link', 'add', 'stray0', 'type', 'veth', 'peer', 'name', 'stray1']);
    await host.must('ip', ['link', 'set', 'stray0', 'alias', 'tsnet:feedfeed']);
    await host.must('ip', ['link', 'add', 'theirs0', 'type', 'veth', 'peer', 'name', 'theirs1']);
    const stray =
      backend === 'iptables'
        ? 'iptables -t nat -A TSNET -p tcp --dport 9999 -j DNAT --to-destination 172.17.0.99:1'
        : "nft 'add element inet tsnet ports4 { tcp . 9999 : 172.17.0.99 . 1 }'";
    await host.must('sh', ['-c', stray]);
    const { status, stdout } = await host.tsnet(['diff']);
    expect(status).toBe(2);
    expect(stdout).toMatch(/orphaned.*stray0/);
    expect(stdout).toMatch(/orphaned.*9999/);
    expect(await host.mustTsnet(['gc', '--dry-run'])).toContain('stray0');
    expect(await host.must('ip', ['-o', 'link'])).toContain('stray0');
    await host.mustTsnet(['gc']);
    const links = await host.must('ip', ['-o', 'link']);
    expect(links).not.toContain('stray0');
    expect(links).toContain('theirs0');
    expect(await host.must('nft', ['list', 'ruleset'])).not.toContain('9999');
    expect(await works()).toBe(true);
  });

  it('let go of a container whose namespace is gone, and of nothing that lives', async () => {
    const name = box.name;
    box.close();
    await until(async () => (await host.tsnet(['diff'])).stdout.includes(name));
    await host.mustTsnet(['gc']);
    expect(await host.mustTsnet(['ps', '--format', '{{.Name}}'])).toBe(web.name);
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('take a namespace that was replaced by another of the same name for what it is', async () => {
    const { name } = box;
    await host.must('ip', ['netns', 'delete', name]);
    await host.must('ip', ['netns', 'add', name]);
    await until(async () => (await host.tsnet(['diff'])).status === 2);
    await host.mustTsnet(['repair']);
    expect(await host.must('ip', ['-n', name, '-o', 'link'])).not.toContain('eth0');
    await host.mustTsnet(['connect', 'bridge', `netns:${name}`]);
    expect(await host.must('ip', ['-n', name, '-o', 'link'])).toContain('eth0');
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('bring networks back after a reboot, which leaves the durable half of the ledger and an empty kernel', async () => {
    await host.mustTsnet(['create', 'kept']);
    const fresh = lab.host('rebooted');
    const env = { TSNET_DATA_ROOT: host.env['TSNET_DATA_ROOT'] ?? '' };
    expect(await fresh.mustTsnet(['ls', '--format', '{{.Name}}', '--filter', 'type=custom'], { env })).toBe('kept');
    expect((await fresh.tsnet(['diff'], { env })).stdout).toMatch(/missing.*network kept/);
    const container = lab.namespace('c');
    await fresh.mustTsnet(['connect', 'kept', container.path], { env });
    expect(await container.must('ip', ['address', 'show', 'dev', 'eth0'])).toContain('172.18.0.2/16');
    await fresh.mustTsnet(['repair'], { env });
    expect(await fresh.mustTsnet(['diff'], { env })).toBe('');
  });
});
