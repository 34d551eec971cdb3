import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FIREWALL_BACKENDS, must, run, until } from '../support/lab.ts';
import { HealStage } from './heal-stage.ts';

let stage: HealStage;
const undo: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await stage.close();
  for (const each of undo.splice(0).reverse()) await each();
});

async function drift(): Promise<string[]> {
  // Whether firewalld lets us pass is another matter, and told as one.
  return (await stage.engine.diff()).filter(({ state }) => state !== 'blocked').map(({ what }) => what);
}

function started(file: string, args: readonly string[]): ChildProcess {
  const child = spawn(file, args, { stdio: 'ignore' });
  undo.push(() => {
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    const end = once(child, 'exit');
    child.kill('SIGKILL');
    return end;
  });
  return child;
}

describe('self-healing beside firewalld', () => {
  it.each(FIREWALL_BACKENDS)(
    'mends within a second what firewall-cmd --reload takes away, with %s',
    async (backend) => {
      mkdirSync('/run/dbus', { recursive: true });
      started('dbus-daemon', ['--system', '--nofork', '--nopidfile']);
      await until(async () => (await run('test', ['-S', '/run/dbus/system_bus_socket'])).status === 0);
      started('firewalld', ['--nofork', '--nopid']);
      await until(async () => (await run('firewall-cmd', ['--state'])).status === 0, 20_000);
      stage = new HealStage(backend);
      const web = stage.lab.namespace('web');
      await stage.engine.connect({ network: 'bridge', container: web.path, ports: ['8080:80'] });
      await stage.heal();
      const before = stage.repaired.length;
      await must('firewall-cmd', ['--reload']);
      // It leaves alone tables of nftables that are not its own; it flushes all of iptables.
      if (backend === 'iptables') await until(() => stage.repaired.length > before, 3_000);
      await until(async () => (await drift()).length === 0, 3_000);
      expect((await must('nft', ['list', 'ruleset'])).includes('8080')).toBe(true);
    },
  );
});

describe('self-healing of legacy iptables, which tells nobody of changes', () => {
  it.each([
    ['iptables-legacy -F', 'iptables-legacy'],
    ['iptables-legacy -t nat -F TSNET', 'iptables-legacy'],
    ['ip6tables-legacy -F', 'ip6tables-legacy'],
  ])('mends within a second: %s', async (command) => {
    const programs = mkdtempSync(path.join(tmpdir(), 'tsnet-legacy-'));
    const before = process.env['PATH'];
    for (const name of ['iptables', 'ip6tables']) {
      for (const tool of ['', '-save', '-restore'])
        symlinkSync(`/usr/sbin/${name}-legacy${tool}`, path.join(programs, `${name}${tool}`));
    }
    process.env['PATH'] = `${programs}:${before ?? ''}`;
    undo.push(async () => {
      process.env['PATH'] = before;
      rmSync(programs, { recursive: true });
      for (const table of ['filter', 'nat', 'raw']) {
        for (const name of ['iptables', 'ip6tables']) {
          await run(`${name}-legacy`, ['-t', table, '-F']);
          await run(`${name}-legacy`, ['-t', table, '-X']);
        }
      }
    });
    stage = new HealStage('iptables');
    const web = stage.lab.namespace('web');
    await stage.engine.createNetwork({ name: 'dual', enableIPv6: true });
    await stage.engine.connect({ network: 'dual', container: web.path, ports: ['8080:80'] });
    expect(await must('iptables-legacy', ['-t', 'nat', '-S'])).toContain('8080');
    await stage.heal();
    const found = stage.repaired.length;
    await must('sh', ['-c', command]);
    await until(() => stage.repaired.length > found, 3_000);
    expect(await drift()).toEqual([]);
  });
});
