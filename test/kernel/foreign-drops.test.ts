/** Another firewall drops what our networks have forwarded: named, with a command that mends it and opens nothing. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Drift } from '../../src/engine/engine.ts';
import { Lab, until, type Host, type Namespace, type Outcome } from '../support/lab.ts';
import {
  DOCKER,
  FIREWALL_CMD_PROGRAM,
  FIREWALLD,
  HAND_WRITTEN,
  HAND_WRITTEN_REJECT,
  UFW,
  UFW_PROGRAM,
} from './foreign-rulesets.ts';

const FETCH = path.resolve(import.meta.dirname, '../support/fetch.js');
const WHO_ASKS = path.resolve(import.meta.dirname, '../support/who-asks.js');

let lab: Lab;
let host: Host;
let client: Namespace;
let web: Namespace;

beforeEach(async () => {
  lab = new Lab();
  host = lab.host();
  client = lab.namespace('client');
  web = lab.namespace('web');
  await lab.wire(host, 'eth0', ['192.168.50.1/24', 'fd50::1/64'], client, 'eth0', ['192.168.50.9/24', 'fd50::9/64']);
  await host.must('ip', ['route', 'add', 'default', 'via', '192.168.50.9']);
  await host.must('ip', ['-6', 'route', 'add', 'default', 'via', 'fd50::9']);
  for (const subnet of ['172.17.0.0/16', '172.18.0.0/16']) {
    await client.must('ip', ['route', 'add', subnet, 'via', '192.168.50.1']);
  }
  client.start(process.execPath, [WHO_ASKS, '7000']);
  web.start(process.execPath, [WHO_ASKS, '80']);
  await until(
    async () => (await fetches(client, 'http://127.0.0.1:7000/')) && (await fetches(web, 'http://127.0.0.1:80/')),
  );
});
afterEach(() => {
  lab.close();
});

async function fetches(from: Namespace, url: string): Promise<boolean> {
  return (await from.run(process.execPath, [FETCH, url])).status === 0;
}

/** Whether what goes out, and what comes in by a published port, arrives. */
async function passes(world = '192.168.50.9', published = '192.168.50.1'): Promise<{ out: boolean; in: boolean }> {
  const [out, back] = await Promise.all([
    fetches(web, `http://${world}:7000/`),
    fetches(client, `http://${published}:8080/`),
  ]);
  return { out, in: back };
}

/** Runs commands as the administrator of the host would. */
function type(commands: string): Promise<string> {
  return host.must('sh', ['-ec', commands], { env: { PATH: `${host.dir}/bin:${process.env['PATH'] ?? ''}` } });
}

function install(name: string, text: string): void {
  mkdirSync(path.join(host.dir, 'bin'), { recursive: true });
  writeFileSync(path.join(host.dir, 'bin', name), text);
  chmodSync(path.join(host.dir, 'bin', name), 0o755);
}

function use(backend: string): void {
  writeFileSync(host.env['TSNET_CONFIG'] ?? '', JSON.stringify({ 'firewall-backend': backend }));
}

const connect = (network = 'bridge'): Promise<Outcome> => host.tsnet(['connect', '-p', '8080:80', network, web.path]);

async function blocked(): Promise<Drift[]> {
  const { status, stdout } = await host.tsnet(['diff', '--format', 'json']);
  const drifts = JSON.parse(stdout) as Drift[];
  expect(status).toBe(drifts.length === 0 ? 0 : 2);
  expect(drifts.filter(({ state }) => state !== 'blocked')).toEqual([]);
  return drifts;
}

interface Foreign {
  readonly backend: 'iptables' | 'nftables';
  readonly what: string;
  readonly setUp: string;
  readonly chain: string;
  readonly why: string;
  readonly remedy: string;
  /** What it drops; absent: both ways. */
  readonly passed?: { readonly out: boolean; readonly in: boolean };
}

const inForward = (program: string, chain = 'FORWARD'): string =>
  `${program} -I ${chain} -i tsnet0 -j ACCEPT && ${program} -I ${chain} -o tsnet0 -j ACCEPT`;
const inTable = (chain: string): string =>
  `nft 'insert rule ${chain} iifname "tsnet0" accept; insert rule ${chain} oifname "tsnet0" accept'`;

const handWritten = {
  what: 'a table that somebody wrote',
  setUp: HAND_WRITTEN,
  chain: 'table inet guard, chain forward',
  why: 'policy drop',
  remedy: inTable('inet guard forward'),
};
const legacyPolicy = {
  what: 'a policy of iptables-legacy',
  setUp: 'iptables-legacy -P FORWARD DROP',
  chain: 'iptables-legacy table filter, chain FORWARD',
  why: 'policy drop',
  remedy: inForward('iptables-legacy'),
};
const firewalld = {
  what: 'firewalld',
  setUp: FIREWALLD,
  chain: 'table inet firewalld, chain filter_FORWARD',
  why: 'ends with reject',
  remedy:
    'firewall-cmd --zone=trusted --change-interface=tsnet0 && firewall-cmd --permanent --zone=trusted --change-interface=tsnet0',
  passed: { out: false, in: true },
};
const forward = { chain: 'table ip filter, chain FORWARD', why: 'policy drop' };

const foreign: Foreign[] = [
  { backend: 'iptables', ...handWritten },
  {
    backend: 'iptables',
    what: 'a table that rejects in the end',
    setUp: HAND_WRITTEN_REJECT,
    chain: 'table ip wall, chain fw-forward',
    why: 'ends with reject',
    remedy: inTable('ip wall fw-forward'),
  },
  { backend: 'iptables', ...legacyPolicy },
  { backend: 'iptables', ...firewalld },
  { backend: 'nftables', ...handWritten },
  { backend: 'nftables', ...legacyPolicy },
  { backend: 'nftables', ...firewalld },
  {
    backend: 'nftables',
    what: 'a policy',
    setUp: 'iptables -P FORWARD DROP',
    ...forward,
    remedy: inForward('iptables'),
  },
  { backend: 'nftables', what: 'Docker', setUp: DOCKER, ...forward, remedy: inForward('iptables', 'DOCKER-USER') },
  {
    backend: 'nftables',
    what: 'ufw',
    setUp: UFW,
    ...forward,
    remedy: 'ufw route allow in on tsnet0 && ufw route allow out on tsnet0',
  },
];

it.each(foreign)('backend $backend: $what drops: it is named, and its remedy mends it', async (given) => {
  const { backend, setUp, chain, why, remedy, passed = { out: false, in: false } } = given;
  use(backend);
  install('ufw', UFW_PROGRAM);
  install('firewall-cmd', FIREWALL_CMD_PROGRAM);
  await type(setUp);

  const told = `tsnet: warning: ${chain} drops packets of network bridge (${why}); to let them pass: ${remedy}\n`;
  expect(await connect()).toEqual({ status: 0, stdout: '', stderr: told });
  expect(await passes()).toEqual(passed);
  const what = `${chain} drops its packets (${why})`;
  expect(await blocked()).toEqual([{ state: 'blocked', owner: 'network bridge', what, detail: remedy }]);
  expect(await host.tsnet(['repair'])).toEqual({
    status: 1,
    stdout: '',
    stderr: `tsnet: repair network bridge: ${what}: not ours to change; run: ${remedy}\n`,
  });

  await type(remedy);
  // It opens nothing: the container's own address stays closed.
  const [passing, direct] = await Promise.all([passes(), fetches(client, 'http://172.17.0.2:80/')]);
  expect({ ...passing, direct }).toEqual({ out: true, in: true, direct: false });
  expect(await blocked()).toEqual([]);
  await host.mustTsnet(['disconnect', 'bridge', web.name]);
  expect(await connect()).toEqual({ status: 0, stdout: '', stderr: '' });
});

describe('nothing is said', () => {
  it('of what drops nothing of ours', async () => {
    const harmless: [string, string][] = [
      ['a policy of the table that our jumps stand first in', 'iptables -P FORWARD DROP'],
      ['Docker’s rules there', DOCKER],
      ['ufw’s rules there', UFW],
      ['a chain that accepts', `nft 'add table ip open; add chain ip open f { type filter hook forward priority 0; }'`],
      ['iptables-legacy that accepts', 'iptables-legacy -A FORWARD -i nobody -j DROP'],
      ['a chain on another hook', `nft 'add table ip in; add chain ip in i { type filter hook output priority 0; }'`],
    ];
    for (const [what, setUp] of harmless) {
      await type(setUp);
      expect({ what, ...(await connect()) }).toEqual({ what, status: 0, stdout: '', stderr: '' });
      expect({ what, blocked: await blocked() }).toEqual({ what, blocked: [] });
      expect({ what, ...(await passes()) }).toEqual({ what, out: true, in: true });
      await host.mustTsnet(['disconnect', 'bridge', web.name]);
    }
  });

  it('of a chain that lets a set of links pass, ours among them', async () => {
    await type(`nft -f - <<'END'
table inet router {
  set inside { type ifname; elements = { "tsnet0", "lan0" }; }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname @inside oifname "eth0" accept
    iifname "eth0" ct status dnat accept
  }
}
END`);
    expect(await connect()).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(await passes()).toEqual({ out: true, in: true });
    await type(`nft 'delete element inet router inside { "tsnet0" }'`);
    expect(await passes()).toEqual({ out: false, in: true });
    expect(await blocked()).toMatchObject([
      { detail: `nft 'insert rule inet router forward iifname "tsnet0" accept'` },
    ]);
  });

  it('of a network without a way out', async () => {
    await type(HAND_WRITTEN);
    await host.mustTsnet(['create', '--internal', 'inner']);
    expect(await host.tsnet(['connect', 'inner', web.path])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(await blocked()).toEqual([]);
  });
});

it('IPv6 is a firewall of its own: each family is named with its command, and only its own is mended', async () => {
  use('nftables');
  await type('ip6tables -P FORWARD DROP');
  await host.mustTsnet([
    'create',
    '--subnet',
    '172.18.0.0/16',
    '--subnet',
    'fd18::/64',
    '-o',
    'bridge.name=br-six',
    'six',
  ]);
  const { stderr } = await connect('six');
  const way = (side: string): string => `ip6tables -I FORWARD ${side} br-six -j ACCEPT`;
  const remedy = `${way('-i')} && ${way('-o')}`;
  expect(stderr).toContain(
    `table ip6 filter, chain FORWARD drops packets of network six (policy drop); to let them pass: ${remedy}\n`,
  );
  expect(await passes()).toEqual({ out: true, in: true });
  expect(await passes('[fd50::9]', '[fd50::1]')).toEqual({ out: false, in: false });
  await type(remedy);
  expect(await passes('[fd50::9]', '[fd50::1]')).toEqual({ out: true, in: true });
  expect(await blocked()).toEqual([]);
});

it('`run` warns of each network and chain, and a table of both families is one', async () => {
  await type(HAND_WRITTEN);
  await type(HAND_WRITTEN_REJECT);
  await host.mustTsnet(['create', '--subnet', '172.18.0.0/16', '--subnet', 'fd18::/64', 'six']);
  const { status, stderr } = await host.tsnet(['run', '--network', 'bridge', '--network', 'six', 'true']);
  expect(status).toBe(0);
  const lines = stderr.trim().split('\n');
  expect(lines.map((line) => line.replace(/ \(.*/, ''))).toEqual([
    'tsnet: warning: table inet guard, chain forward drops packets of network bridge',
    'tsnet: warning: table ip wall, chain fw-forward drops packets of network bridge',
    'tsnet: warning: table inet guard, chain forward drops packets of network six',
    'tsnet: warning: table ip wall, chain fw-forward drops packets of network six',
  ]);
});
