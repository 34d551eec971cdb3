import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FIREWALL_BACKENDS, Lab, until, type FirewallBackend, type Host, type Namespace } from '../support/lab.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FETCH = path.join(ROOT, 'test/support/fetch.js');
const WHO_ASKS = path.join(ROOT, 'test/support/who-asks.js');

let lab: Lab;
let host: Host;
let outside: Namespace;

/** A host that has the example installed as a package beside daemon.json, and somebody else on its LAN. */
async function stage(backend: FirewallBackend): Promise<void> {
  lab = new Lab();
  host = lab.host();
  const modules = path.join(host.dir, 'node_modules');
  mkdirSync(modules);
  symlinkSync(ROOT, path.join(modules, 'tsnet'));
  cpSync(path.join(ROOT, 'examples/ptp'), path.join(modules, 'tsnet-driver-ptp'), { recursive: true });
  writeFileSync(
    path.join(host.dir, 'daemon.json'),
    JSON.stringify({ 'firewall-backend': backend, drivers: ['tsnet-driver-ptp'] }),
  );
  outside = lab.namespace('outside');
  await lab.wire(host, 'eth0', ['192.168.50.1/24', 'fd50::1/64'], outside, 'eth0', ['192.168.50.9/24', 'fd50::9/64']);
  await outside.must('ip', ['-6', 'route', 'add', 'default', 'via', 'fd50::1']);
}
afterEach(() => {
  lab.close();
});

function serve(where: Namespace, port: number): void {
  where.start(process.execPath, [WHO_ASKS, String(port)]);
}

/** The body, or '' when there is no answer. */
async function ask(from: Namespace, url: string): Promise<string> {
  return (await from.run(process.execPath, [FETCH, url])).stdout.trim();
}

async function container(...options: readonly string[]): Promise<Namespace> {
  const made = lab.namespace('c');
  await host.mustTsnet(['connect', ...options, 'lan', made.path]);
  return made;
}

const pings = async (from: Namespace, to: string): Promise<boolean> =>
  (await from.run('ping', ['-c', '1', '-W', '1', to])).status === 0;

it('the example driver ptp passes its own tests, the contract among them', async () => {
  await stage('iptables');
  const tests = path.join(host.dir, 'node_modules/tsnet-driver-ptp/driver.test.js');
  const { status, stdout } = await host.run(process.execPath, ['--test', tests]);
  expect(stdout).toMatch(/^# pass [1-9]\d+$/m);
  expect(status).toBe(0);
});

describe.each(FIREWALL_BACKENDS)('with %s, the example driver ptp', (backend) => {
  beforeEach(async () => {
    await stage(backend);
    await host.mustTsnet(['create', '-d', 'ptp', '--subnet', '10.8.0.0/24', '--ipv6', '--subnet', 'fd08::/64', 'lan']);
  });

  it('gives each container a link of its own, and makes no bridge', async () => {
    const [a, b] = [await container(), await container()];
    for (const [one, number] of [
      [a, 2],
      [b, 3],
    ] as const) {
      expect(await one.must('ip', ['-o', 'address', 'show', 'dev', 'eth0'])).toContain(`inet 10.8.0.${number}/32`);
      expect(await one.must('ip', ['route', 'show', 'default'])).toMatch(/^default via 10\.8\.0\.1 dev eth0/);
      expect(await pings(host, `10.8.0.${number}`)).toBe(true);
      expect(await pings(host, `fd08::${number}`)).toBe(true);
    }
    expect(await host.must('ip', ['-o', 'link', 'show', 'type', 'bridge'])).toBe('');
    expect(await host.must('ip', ['route', 'show', '10.8.0.2'])).toMatch(/^10\.8\.0\.2 dev veth/);
  });

  it('lets containers out with the address of the host', async () => {
    serve(outside, 80);
    const one = await container();
    await until(async () => (await ask(outside, 'http://127.0.0.1/')) !== '');
    expect(await ask(one, 'http://192.168.50.9/')).toBe('you are 192.168.50.1');
    expect(await ask(one, 'http://[fd50::9]/')).toBe('you are fd50::1');
  });

  it('publishes ports, to others and to the host itself, and keeps the client', async () => {
    const web = await container('-p', '8080:80');
    serve(web, 80);
    await until(async () => (await ask(web, 'http://127.0.0.1/')) !== '');
    expect(await ask(outside, 'http://192.168.50.1:8080/')).toBe('you are 192.168.50.9');
    expect(await ask(outside, 'http://[fd50::1]:8080/')).toBe('you are fd50::9');
    expect(await ask(host, 'http://127.0.0.1:8080/')).toMatch(/you are/);
    expect(await ask(web, 'http://192.168.50.1:8080/')).toMatch(/you are/);
  });

  it('keeps containers apart, but for what they publish', async () => {
    const [web, other] = [await container('-p', '8080:80'), await container()];
    serve(web, 80);
    await until(async () => (await ask(web, 'http://127.0.0.1/')) !== '');
    expect(await pings(other, '10.8.0.2')).toBe(false);
    expect(await ask(other, 'http://10.8.0.2/')).toBe('');
    expect(await ask(other, 'http://10.8.0.1:8080/')).toMatch(/you are/);
  });

  it('is a second network of a container on a bridge network, and answers by itself', async () => {
    const web = lab.namespace('c');
    await host.mustTsnet(['connect', 'bridge', web.path]);
    await host.mustTsnet(['connect', '-p', '8080:80', 'lan', web.path]);
    const other = await container();
    serve(web, 80);
    await until(async () => (await ask(web, 'http://127.0.0.1/')) !== '');
    expect(await ask(outside, 'http://192.168.50.1:8080/')).toBe('you are 192.168.50.9');
    expect(await ask(other, 'http://10.8.0.1:8080/')).toMatch(/you are/);
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('is compared, repaired and taken away like any other', async () => {
    const web = await container('-p', '8080:80');
    serve(web, 80);
    expect(await host.mustTsnet(['diff'])).toBe('');
    const links = await host.must('ip', ['-o', 'link', 'show', 'type', 'veth']);
    const link = /veth[0-9a-f]{11}/.exec(links)?.[0] ?? '';
    await host.must('ip', ['link', 'delete', link]);
    const drift = await host.tsnet(['diff']);
    expect(drift.status).toBe(2);
    expect(drift.stdout).toContain(`route 10.8.0.2/32 dev ${link}`);
    await host.mustTsnet(['repair']);
    expect(await host.mustTsnet(['diff'])).toBe('');
    expect(await ask(outside, 'http://192.168.50.1:8080/')).toBe('you are 192.168.50.9');
    await host.mustTsnet(['disconnect', 'lan', web.path]);
    await host.mustTsnet(['rm', 'lan']);
    expect(await host.must('ip', ['-o', 'link'])).not.toContain(link);
    expect(await host.must('ip', ['route'])).not.toContain('10.8.0');
    expect(await host.mustTsnet(['diff'])).toBe('');
  });
});
