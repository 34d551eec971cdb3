import { spawn } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDeadContainers } from '../../src/daemon/dead-containers.ts';
import type { Follower } from '../../src/daemon/follower.ts';
import { watchProcesses } from '../../src/kernel/process-ends.ts';
import { until, type Namespace } from '../support/lab.ts';
import { HealStage } from './heal-stage.ts';

let stage: HealStage;
let watcher: Follower;
let letGo: string[];

beforeEach(async () => {
  stage = new HealStage('nftables');
  letGo = [];
  watcher = openDeadContainers({
    context: stage.context,
    log: stage.log,
    changes: await stage.changes(),
    watchProcesses,
    letGo: (ids) => {
      letGo.push(...ids);
      return Promise.resolve();
    },
  });
});
afterEach(async () => {
  await watcher.close();
  await stage.close();
});

const names = async (): Promise<string[]> => (await stage.engine.listSandboxes()).map(({ sandbox }) => sandbox.name);

async function connected(role: string, port: string): Promise<Namespace> {
  const made = stage.lab.namespace(role);
  await stage.engine.connect({ network: 'bridge', container: made.path, ports: [port] });
  await watcher.sync();
  return made;
}

describe('dead containers', () => {
  it('are let go of when their namespace goes, with lease and port, and nobody else is', async () => {
    const dead = await connected('dead', '8080:80');
    const alive = await connected('alive', '8081:80');
    dead.close();
    await until(async () => (await names()).join() === alive.name, 2_000);
    expect((await stage.engine.listPorts()).map(({ hostPort }) => hostPort)).toEqual([8081]);
    expect(await stage.engine.diff()).toEqual([]);
  });

  it('are let go of when the process whose namespace it was has ended', async () => {
    const child = spawn('unshare', ['--net', 'sleep', '1000'], { stdio: 'ignore' });
    const pid = String(child.pid ?? 0);
    await until(() => readlinkSync(`/proc/${pid}/ns/net`) !== readlinkSync('/proc/self/ns/net'));
    await stage.engine.connect({ network: 'bridge', container: `pid:${pid}` });
    await watcher.sync();
    child.kill('SIGKILL');
    await until(async () => (await names()).length === 0, 2_000);
    expect(await stage.engine.diff()).toEqual([]);
  });

  it('of our own are let go of when nobody is left to do it', async () => {
    await stage.tsnet(['run', '-d', '--name', 'job', '-p', '8080:80', '--', 'sleep', '1000']);
    await watcher.sync();
    const [job] = await stage.engine.listSandboxes();
    const pid = job?.sandbox.process?.pid ?? 0;
    const undertaker = Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1]);
    expect(undertaker).toBeGreaterThan(1);
    process.kill(undertaker, 'SIGKILL');
    process.kill(pid, 'SIGKILL');
    await until(async () => (await names()).length === 0, 2_500);
    expect(await stage.engine.listPorts()).toEqual([]);
    expect(await stage.engine.diff()).toEqual([]);
  });

  it('have what the daemon has open inside closed first', async () => {
    const dead = await connected('dead', '8080:80');
    const [id] = (await stage.engine.listSandboxes()).map(({ sandbox }) => sandbox.id);
    dead.close();
    await until(async () => (await names()).length === 0, 2_000);
    expect(letGo).toContain(id);
  });

  it('that another process let go of are not missed, and a namespace of the same name is not taken for the old one', async () => {
    const box = await connected('box', '8080:80');
    await stage.tsnet(['disconnect', 'bridge', box.path]);
    await watcher.sync();
    expect(await names()).toEqual([]);
    expect(stage.logged.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('are noticed too when only the change of another was followed', async () => {
    const old = await connected('old', '8080:80');
    const young = stage.lab.namespace('young');
    const { sandbox } = await stage.engine.connect({ network: 'bridge', container: young.path });
    await watcher.sync(new Set([sandbox.id]));
    old.close();
    await until(async () => (await names()).join() === young.name, 2_000);
    young.close();
    await until(async () => (await names()).length === 0, 2_000);
  });

  it('are noticed by their process when only their own change was followed', async () => {
    const child = spawn('unshare', ['--net', 'sleep', '1000'], { stdio: 'ignore' });
    const pid = String(child.pid ?? 0);
    await until(() => readlinkSync(`/proc/${pid}/ns/net`) !== readlinkSync('/proc/self/ns/net'));
    const { sandbox } = await stage.engine.connect({ network: 'bridge', container: `pid:${pid}` });
    await watcher.sync(new Set([sandbox.id]));
    child.kill('SIGKILL');
    await until(async () => (await names()).length === 0, 2_000);
  });
});
