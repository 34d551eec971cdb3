/** From one firewall backend to the other, with containers that go on talking, and what is chosen where nothing is said. */
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, TSNET, until, type FirewallBackend, type Host, type Namespace } from '../support/lab.ts';

const FETCH = path.resolve(import.meta.dirname, '../support/fetch.js');
const WHO_ASKS = path.resolve(import.meta.dirname, '../support/who-asks.js');

let lab: Lab;
let host: Host;
let client: Namespace;
let web: Namespace;
let other: Namespace;

beforeEach(async () => {
  lab = new Lab();
  host = lab.host();
  client = lab.namespace('client');
  web = lab.namespace('web');
  other = lab.namespace('other');
  await lab.wire(host, 'eth0', ['192.168.50.1/24'], client, 'eth0', ['192.168.50.9/24']);
  await client.must('ip', ['route', 'add', '172.16.0.0/12', 'via', '192.168.50.1']);
});
afterEach(() => {
  lab.close();
});

async function stage(backend: FirewallBackend): Promise<void> {
  host.useFirewall(backend);
  await host.mustTsnet(['create', '--subnet', '172.30.0.0/24', 'apart']);
  await host.mustTsnet(['connect', '-p', '8080:80', 'bridge', web.path]);
  await host.mustTsnet(['connect', 'apart', other.path]);
  web.start(process.execPath, [WHO_ASKS, '80']);
  await until(published);
}

async function published(port = 8080): Promise<boolean> {
  return (await client.run(process.execPath, [FETCH, `http://192.168.50.1:${port}/`])).status === 0;
}

/** Which backends have rules of ours. */
async function where(): Promise<FirewallBackend[]> {
  const found: FirewallBackend[] = [];
  if ((await host.must('iptables-save')).includes('TSNET')) found.push('iptables');
  if ((await host.must('nft', ['list', 'tables'])).includes('inet tsnet')) found.push('nftables');
  return found;
}

interface Watch {
  /** Returns once so many more requests have been answered or given up. */
  go(requests: number): Promise<void>;
  stop(): Promise<{ sent: number; received: number }>;
}

/** Sends echo requests all the time, and counts what came through. */
function watch(from: Namespace, address: string): Watch {
  const ping = from.start('ping', ['-n', '-O', '-i', '0.01', '-W', '1', address]);
  let output = '';
  ping.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise((resolve) => ping.once('close', resolve));
  const seen = (): number => output.match(/icmp_seq=/g)?.length ?? 0;
  return {
    async go(requests) {
      const goal = seen() + requests;
      await until(() => seen() >= goal);
    },
    async stop() {
      ping.kill('SIGINT');
      await ended;
      const [, sent = '0', received = '0'] = /(\d+) packets transmitted, (\d+) received/.exec(output) ?? [];
      return { sent: Number(sent), received: Number(received) };
    },
  };
}

describe.each<[FirewallBackend, FirewallBackend]>([
  ['iptables', 'nftables'],
  ['nftables', 'iptables'],
])('from %s to %s', (from, to) => {
  it('repair moves everything: nothing stops, nothing opens, nothing is left', async () => {
    await stage(from);
    expect(await where()).toEqual([from]);
    host.useFirewall(to);

    const diff = await host.tsnet(['diff']);
    expect(diff.status).toBe(2);
    expect(diff.stdout).toContain(`firewall rules are in ${from}: daemon.json asks for ${to}`);

    const watches = [watch(web, '192.168.50.9'), watch(other, '172.17.0.2'), watch(client, '172.17.0.2')] as const;
    await Promise.all(watches.map((one) => one.go(10)));
    const repaired = await host.mustTsnet(['repair']);
    await Promise.all(watches.map((one) => one.go(10)));
    const [allowed, fromElsewhere, fromOutside] = await Promise.all(watches.map((one) => one.stop()));
    expect(repaired).toContain(`firewall rules are in ${from}`);
    expect(allowed?.received).toBe(allowed?.sent);
    expect([fromElsewhere?.received, fromOutside?.received]).toEqual([0, 0]);

    expect(await where()).toEqual([to]);
    expect(await published()).toBe(true);
    expect(await host.mustTsnet(['diff'])).toBe('');
    expect(await host.mustTsnet(['info', '--format', 'json'])).toContain(`"${to}"`);
  });

  it('until then changes go where the rules are', async () => {
    await stage(from);
    host.useFirewall(to);
    await host.mustTsnet(['publish', 'bridge', web.path, '8081:80']);
    expect(await published(8081)).toBe(true);
    await host.mustTsnet(['unpublish', 'bridge', web.path, '8080:80']);
    expect(await published(8080)).toBe(false);
    expect(await where()).toEqual([from]);
  });

  it('a move that died half-way is finished, the administrator’s rules stay', async () => {
    await stage(from);
    const theirs =
      from === 'iptables'
        ? ['iptables', '-A', 'TSNET-USER', '-s', '192.0.2.66', '-j', 'DROP']
        : ['nft', 'add rule inet tsnet tsnet-user ip saddr 192.0.2.66 drop'];
    await host.must(theirs[0] ?? '', theirs.slice(1));
    host.useFirewall(to);
    await host.mustTsnet(['repair']);
    // As if the process had been killed before it took the old rules away.
    const old = from === 'iptables' ? ['iptables', '-N', 'TSNET-FORWARD'] : ['nft', 'add chain inet tsnet enter'];
    await host.must(old[0] ?? '', old.slice(1));
    const diff = await host.tsnet(['diff']);
    expect(diff.stdout).toContain(`rules of tsnet in ${from}`);
    await host.mustTsnet(['repair']);
    expect(await host.mustTsnet(['diff'])).toBe('');
    const kept = from === 'iptables' ? await host.must('iptables-save') : await host.must('nft', ['list', 'ruleset']);
    expect(kept).toContain('192.0.2.66');
    expect(await published()).toBe(true);
  });
});

describe('where daemon.json says nothing', () => {
  const info = ['info', '--format', 'json'];
  const backendIn = (output: string): unknown => (JSON.parse(output) as { firewallBackend: string }).firewallBackend;

  it('iptables is used where it is installed', async () => {
    expect(backendIn(await host.mustTsnet(info))).toBe('iptables');
  });

  it('nftables is used where iptables is not', async () => {
    const hidden = `mount --bind /dev/null "$(readlink -f /usr/sbin/iptables-restore)" && exec "$@"`;
    const tsnet = (...args: string[]): Promise<string> =>
      host.must('unshare', ['--mount', 'sh', '-c', hidden, 'sh', process.execPath, TSNET, ...args], { env: host.env });
    expect(backendIn(await tsnet(...info))).toBe('nftables');
    await tsnet('connect', '-p', '8080:80', 'bridge', web.path);
    expect(await where()).toEqual(['nftables']);
    // Installing iptables later moves nothing by itself.
    expect(backendIn(await host.mustTsnet(info))).toBe('nftables');
    expect((await host.tsnet(['diff'])).stdout).toContain('daemon.json asks for iptables');
  });
});
