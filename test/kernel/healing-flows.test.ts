import { execFileSync, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openNatAnchor, type NatAnchor } from '../../src/kernel/nat-anchor.ts';
import { FIREWALL_BACKENDS, must, until, type FirewallBackend, type Namespace } from '../support/lab.ts';
import { HealStage } from './heal-stage.ts';

const TICKER = path.resolve(import.meta.dirname, '../support/ticker.js');

let stage: HealStage;
let client: Namespace;
let web: Namespace;
let box: Namespace;
let anchor: NatAnchor | undefined;

async function open(backend: FirewallBackend): Promise<void> {
  stage = new HealStage(backend);
  client = stage.lab.namespace('client');
  web = stage.lab.namespace('web');
  box = stage.lab.namespace('box');
  execFileSync('ip', ['link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', client.name]);
  execFileSync('sh', ['-c', 'ip address add 192.168.50.1/24 dev lan0; ip link set lan0 up']);
  await client.must('sh', ['-c', 'ip address add 192.168.50.9/24 dev eth0; ip link set eth0 up']);
  await client.must('ip', ['route', 'add', 'default', 'via', '192.168.50.1']);
  await stage.engine.connect({ network: 'bridge', container: web.path, ports: ['8080:80'] });
  await stage.engine.connect({ network: 'bridge', container: box.path });
}
afterEach(async () => {
  execFileSync('ip', ['link', 'delete', 'lan0']);
  await anchor?.close();
  await stage.close();
});

interface Stream {
  readonly child: ChildProcess;
  said: string;
}

function stream(from: Namespace, address: string, port: number): Stream {
  const child = from.start(process.execPath, [TICKER, address, String(port)]);
  const one: Stream = { child, said: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (one.said += text));
  return one;
}

/** Waits until something went through the streams from now on. */
async function flows(...streams: readonly Stream[]): Promise<void> {
  const before = streams.map(({ said }) => said.length);
  await until(() => streams.every(({ said }, index) => said.length > (before[index] ?? 0) + 8));
  expect(streams.map(({ said }) => said.includes('lost'))).toEqual(streams.map(() => false));
}

const FLUSHES: Readonly<Record<FirewallBackend, readonly string[]>> = {
  iptables: ['iptables -F', 'iptables -t nat -F', 'nft flush ruleset'],
  nftables: ['nft flush ruleset', 'nft delete table inet tsnet'],
};

describe.each(FIREWALL_BACKENDS)('while %s rules are flushed and mended', (backend) => {
  it.each(FLUSHES[backend])('streams stay open over: %s', async (command) => {
    await open(backend);
    await stage.heal();
    anchor = await openNatAnchor();
    web.start(process.execPath, [TICKER, 'listen', '80']);
    box.start(process.execPath, [TICKER, 'listen', '80']);
    client.start(process.execPath, [TICKER, 'listen', '9000']);
    await until(async () => (await web.run('sh', ['-c', 'ss -ltn | grep -q :80'])).status === 0);
    await until(async () => (await client.run('sh', ['-c', 'ss -ltn | grep -q :9000'])).status === 0);
    const streams = [
      stream(client, '192.168.50.1', 8080),
      stream(box, '172.17.0.2', 80),
      stream(web, '172.17.0.3', 80),
      stream(box, '192.168.50.9', 9000),
    ];
    await flows(...streams);
    for (let round = 0; round < 3; round++) {
      const before = stage.repaired.length;
      await must('sh', ['-c', command]);
      await until(() => stage.repaired.length > before);
      await flows(...streams);
    }
    expect(await stage.engine.diff()).toEqual([]);
  });
});
