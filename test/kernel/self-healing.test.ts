import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FIREWALL_BACKENDS, must, until, type FirewallBackend, type Namespace } from '../support/lab.ts';
import { HealStage } from './heal-stage.ts';

const FETCH = path.resolve(import.meta.dirname, '../support/fetch.js');
const WHO_ASKS = path.resolve(import.meta.dirname, '../support/who-asks.js');

let stage: HealStage;
let web: Namespace;
let box: Namespace;

async function open(backend: FirewallBackend): Promise<void> {
  stage = new HealStage(backend);
  web = stage.lab.namespace('web');
  box = stage.lab.namespace('box');
  await stage.engine.connect({ network: 'bridge', container: web.path, ports: ['8080:80'] });
  await stage.engine.connect({ network: 'bridge', container: box.path });
  await stage.heal();
}
afterEach(async () => {
  await stage.close();
});

const shell = (command: string): Promise<string> => must('sh', ['-c', command]);
async function hostVeth(): Promise<string> {
  const links = JSON.parse(await must('ip', ['-j', 'link', 'show', 'master', 'tsnet0'])) as { ifname: string }[];
  return links[0]?.ifname ?? '';
}

const FIREWALL_DAMAGE: Readonly<Record<FirewallBackend, readonly string[]>> = {
  iptables: [
    'iptables -F',
    'iptables -F; iptables -X',
    'iptables -P FORWARD DROP; iptables -F; iptables -P FORWARD ACCEPT',
    'iptables -t nat -F',
    'iptables -t raw -F',
    'nft flush ruleset',
    'iptables -D FORWARD -j TSNET-FORWARD',
  ],
  nftables: [
    'nft flush ruleset',
    'nft delete table inet tsnet',
    'nft flush chain inet tsnet forward',
    "nft 'flush map inet tsnet ports4'",
  ],
};

describe.each(FIREWALL_BACKENDS)('self-healing, with %s,', (backend) => {
  const damage: [string, () => Promise<unknown>][] = [
    ...FIREWALL_DAMAGE[backend].map((command): [string, () => Promise<unknown>] => [command, () => shell(command)]),
    ['ip link del of the bridge', () => must('ip', ['link', 'delete', 'tsnet0'])],
    ['ip link del of a veth', async () => must('ip', ['link', 'delete', await hostVeth()])],
    ['ip link del inside the container', () => web.must('ip', ['link', 'delete', 'eth0'])],
    ['ip addr flush of the bridge', () => must('ip', ['address', 'flush', 'dev', 'tsnet0'])],
    ['ip addr flush in the container', () => web.must('ip', ['address', 'flush', 'dev', 'eth0'])],
    ['ip route del in the container', () => box.must('ip', ['route', 'delete', 'default'])],
    ['ip link set down in the container', () => box.must('ip', ['link', 'set', 'eth0', 'down'])],
    ['a port out of its bridge', async () => must('ip', ['link', 'set', await hostVeth(), 'nomaster'])],
    ['sysctl net.ipv4.ip_forward=0', () => shell('echo 0 > /proc/sys/net/ipv4/ip_forward')],
    ['sysctl route_localnet', () => shell('echo 0 > /proc/sys/net/ipv4/conf/tsnet0/route_localnet')],
  ];

  it.each(damage)('mends within a second: %s', async (_what, break_) => {
    await open(backend);
    const before = stage.repaired.length;
    const started = performance.now();
    await break_();
    await until(() => stage.repaired.length > before, 3_000);
    await until(async () => (await stage.engine.diff()).length === 0, 3_000);
    // A second is promised; what is looked at with `diff` takes some of it too.
    expect(performance.now() - started).toBeLessThan(1_500);
    web.start(process.execPath, [WHO_ASKS, '80']);
    await until(async () => (await box.run(process.execPath, [FETCH, 'http://172.17.0.1:8080/'])).status === 0);
  });
});
