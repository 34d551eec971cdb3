/** diff, repair, gc, info, config, version. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Drift } from '../../../src/engine/engine.ts';
import { makeFakeEngine } from './fake-engine.ts';
import { tsnet } from './run-cli.ts';

const DRIFTS: Drift[] = [
  { state: 'missing', owner: 'container db on web', what: 'route 0.0.0.0/0 via 172.17.0.1 dev eth0' },
  { state: 'wrong', owner: 'network web', what: 'bridge br-1', detail: 'mtu 1400 instead of 1500' },
];
const LINES =
  'missing   container db on web   route 0.0.0.0/0 via 172.17.0.1 dev eth0\nwrong     network web           bridge br-1: mtu 1400 instead of 1500\n';

describe('diff', () => {
  test('is silent and 0 when nothing differs', async () => {
    expect(await tsnet(['diff'])).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(await tsnet(['diff', '--format', 'json'])).toMatchObject({ status: 0, stdout: '[]\n' });
  });

  test('prints a line for each drift and ends with 2', async () => {
    const engine = makeFakeEngine({ drifts: DRIFTS });
    expect(await tsnet(['diff'], { engine })).toMatchObject({ status: 2, stdout: LINES, stderr: '' });
    const json = await tsnet(['diff', '--format', 'json'], { engine });
    expect(json.status).toBe(2);
    expect(JSON.parse(json.stdout)).toEqual(DRIFTS);
  });
});

describe('repair', () => {
  test('is silent when nothing was wrong', async () => {
    expect(await tsnet(['repair'])).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  test('prints what it mended, and what it could not', async () => {
    const [first, second] = DRIFTS as [Drift, Drift];
    const engine = makeFakeEngine({ repair: { repaired: [first], failed: [{ drift: second, reason: 'EPERM' }] } });
    expect(await tsnet(['repair'], { engine })).toMatchObject({
      status: 1,
      stdout: 'missing   container db on web   route 0.0.0.0/0 via 172.17.0.1 dev eth0\n',
      stderr: 'tsnet: repair network web: bridge br-1: mtu 1400 instead of 1500: EPERM\n',
    });
  });
});

test('gc says what it let go of, or would', async () => {
  const engine = makeFakeEngine({ garbage: [{ kind: 'sandbox', name: 'db', reason: 'its namespace is gone' }] });
  expect(await tsnet(['gc', '--dry-run'], { engine })).toMatchObject({
    status: 0,
    stdout: 'sandbox   db        its namespace is gone\n',
  });
  expect(engine.calls[0]).toEqual(['gc', { dryRun: true }]);
});

test('info', async () => {
  const { stdout } = await tsnet(['info']);
  expect(stdout).toContain('Data root:            /data\n');
  expect(stdout).toContain('Address pools:        172.17.0.0/16 cut to /16\n');
  expect(stdout).toContain('Drivers:              bridge (local, built in; this kernel: bridge yes, veth no)\n');
  expect(stdout).toContain('./old.js cannot be used: load driver ./old.js: no\n');
  expect(stdout).toContain('Changed sysctls:      net.ipv4.ip_forward 0 → 1\n');
  expect(JSON.parse((await tsnet(['info', '--format', 'json'])).stdout)).toMatchObject({ dataRoot: '/data' });
});

describe('config', () => {
  let folder: string;
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tsnet-cli-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('check says OK, and the notices', async () => {
    const path = file('good.json', '{"mtu": 1400, "log-driver": "journald"}');
    expect(await tsnet(['--config', path, 'config', 'check'])).toMatchObject({
      status: 0,
      stdout: `OK (${path})\n`,
      stderr: 'tsnet: notice: not about networking, ignored: log-driver\n',
      config: undefined,
    });
    expect(await tsnet(['config', 'check'])).toMatchObject({ status: 0, stdout: 'OK (no file; defaults)\n' });
  });

  test('check lists every problem on its own line', async () => {
    const path = file('bad.json', '{"mtu": "x", "mtuu": 1}');
    const run = await tsnet(['--config', path, 'config', 'check']);
    expect(run.status).toBe(1);
    expect(run.stdout).toBe(
      `${path}: /mtu: "x": expected a whole number\n${path}: unknown key /mtuu (did you mean mtu?)\n`,
    );
    const json = await tsnet(['--config', path, 'config', 'check', '--format', 'json']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      ok: false,
      file: path,
      problems: [expect.anything(), expect.anything()],
    });
  });

  test('check tells where JSON goes wrong', async () => {
    const path = file('broken.json', '{\n  "mtu" 1\n}');
    const run = await tsnet(['--config', path, 'config', 'check']);
    expect(run.status).toBe(1);
    expect(run.stdout).toContain(`${path}:2:9: not JSON: expected ":", found "1"`);
  });

  test('show says where each value comes from', async () => {
    const path = file('show.json', '{"mtu": 1400}');
    const { stdout } = await tsnet(['--config', path, '--exec-root', '/e', 'config', 'show'], {
      env: { TSNET_DATA_ROOT: '/d' },
    });
    expect(stdout).toMatch(/^KEY +FROM +VALUE\n/);
    for (const line of [
      /^mtu +file +1400$/m,
      /^icc +default +true$/m,
      /^data-root +environment +"\/d"$/m,
      /^exec-root +option +"\/e"$/m,
    ]) {
      expect(stdout).toMatch(line);
    }
    const json = await tsnet(['--config', path, 'config', 'show', '--format', 'json']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      config: { mtu: 1400, icc: true },
      origins: { mtu: 'file', icc: 'default' },
    });
  });

  test('show refuses a file that cannot be used', async () => {
    const path = file('unusable.json', '{"mtu": "x"}');
    expect(await tsnet(['--config', path, 'config', 'show'])).toMatchObject({
      status: 1,
      stdout: '',
      stderr: `tsnet: ${path}: /mtu: "x": expected a whole number\n`,
    });
  });
});

test('version', async () => {
  expect((await tsnet(['version'])).stdout).toMatch(/^tsnet \S+ \(Node.js \d+\.\d+\.\d+\)\n$/);
  expect(JSON.parse((await tsnet(['version', '--format', 'json'])).stdout)).toHaveProperty('version');
});
