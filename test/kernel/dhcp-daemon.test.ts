import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startDaemon } from '../support/daemon.ts';
import { startDhcpServer, type DhcpServer } from '../support/dhcp-server.ts';
import { Lab, until, type Host, type Namespace } from '../support/lab.ts';
import { makeLan, type Lan } from '../support/lan.ts';

const CREATE = [
  'create',
  '-d',
  'macvlan',
  '--ipam-driver',
  'dhcp',
  '-o',
  'parent=eth0',
  '--ipam-opt',
  'timeout=4',
  'lan',
];

let lab: Lab;
let lan: Lan;
let host: Host;
let box: Namespace;
let server: DhcpServer;

beforeEach(async () => {
  lab = new Lab();
  lan = await makeLan(lab, 1);
  [host] = lan.hosts as [Host];
  box = lab.namespace('box');
});
afterEach(() => {
  server.close();
  lab.close();
});

/** What a program believes to which it is later. */
function later(seconds: number): Record<string, string> {
  const clock = path.resolve(import.meta.dirname, '../support/shifted-clock.js');
  return { NODE_OPTIONS: `--import ${clock}`, TEST_LATER_MS: String(seconds * 1000) };
}

/** Of two minutes: due after one. */
async function lease(): Promise<void> {
  server = await startDhcpServer(lan.router);
  await host.mustTsnet(CREATE);
  await host.mustTsnet(['connect', 'lan', box.path]);
}

it('the daemon renews a lease that is due', async () => {
  await lease();
  const requests = (): number => server.log().match(/DHCPREQUEST/g)?.length ?? 0;
  expect(requests()).toBe(1);
  const daemon = await startDaemon(host, [], later(65));
  await until(() => requests() === 2, 30_000);
  await daemon.end('SIGTERM');
  expect(server.log()).not.toContain('DHCPNAK');
  expect(await host.mustTsnet(['diff'], { env: later(140) })).toBe('');
});

it('the daemon says when a lease has expired, and leaves the container its address', async () => {
  await lease();
  server.close();
  const daemon = await startDaemon(host, [], later(150));
  await until(() => daemon.log().includes('could not be renewed'), 30_000);
  expect(daemon.log()).toMatch(/the DHCP lease of 192\.168\.22\.\d+ has expired/);
  expect(await box.must('ip', ['-o', '-4', 'address', 'show', 'dev', 'eth0'])).toContain('192.168.22.');
});
