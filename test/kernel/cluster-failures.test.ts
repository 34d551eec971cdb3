/** What becomes of an overlay when the store, a host or a daemon fails. A host is dead after 3 s and 2 s of grace here. */
import { cpSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  container,
  createOverlay,
  entriesFor,
  stageForFile,
  untilEntries,
  type ClusterHost,
  type ClusterStage,
  type TestContainer,
} from '../support/cluster-stage.ts';
import { Lab, until } from '../support/lab.ts';

const TTL = 3;
const GRACE_MS = 2000;

const lab = new Lab();
let stage: ClusterStage;
let a: ClusterHost;
let b: ClusterHost;
let c: ClusterHost;
let onA: TestContainer;
let onB: TestContainer;
let onC: TestContainer;

const wayTo = (...containers: readonly TestContainer[]): string[] =>
  containers.flatMap(({ address, on }) => entriesFor(address, on.address));

/** All three hosts are as they should be. */
async function untilWhole(timeoutMs = 20_000): Promise<void> {
  await untilEntries(a, wayTo(onB, onC), timeoutMs);
  await untilEntries(b, wayTo(onA, onC), timeoutMs);
  await untilEntries(c, wayTo(onA, onB), timeoutMs);
  for (const host of [a, b, c]) await until(async () => (await host.info()).session === 'held', timeoutMs);
}

/** Revisions of all endpoint keys. */
async function endpointRevisions(): Promise<string> {
  const { stdout } = await stage.etcd.ctl('get', '--prefix', '/tsnet/v1/ep/', '--write-out', 'json');
  const { kvs } = JSON.parse(stdout) as { readonly kvs: readonly { key: string; mod_revision: number }[] };
  return JSON.stringify(kvs.map(({ key, mod_revision }) => [Buffer.from(key, 'base64').toString(), mod_revision]));
}

stageForFile(lab, { hosts: 3, ttl: TTL }, async (opened) => {
  stage = opened;
  [a, b, c] = stage.hosts as [ClusterHost, ClusterHost, ClusterHost];
  await createOverlay(stage, { name: 'ov', subnet: '10.77.0.0/16' });
  [onA, onB, onC] = [await container(lab, a, 'ov'), await container(lab, b, 'ov'), await container(lab, c, 'ov')];
  await untilWhole();
});

describe('the store', () => {
  it('is killed: packets go on, an attach fails at once with its reason, and all goes on when it is back', async () => {
    await stage.etcd.kill();
    expect(await onA.ping(onB.address)).toBe(true);
    const before = performance.now();
    await expect(container(lab, a, 'ov')).rejects.toThrow(/cluster store.*running containers are not affected/);
    expect(performance.now() - before).toBeLessThan(4000);
    // Longer than any lease.
    await until(async () => (await a.info()).session === 'lost', 10_000);
    await expect(container(lab, a, 'ov')).rejects.toThrow(/cluster store/);
    expect(await onA.ping(onC.address)).toBe(true);
    await onB.leave();
    await stage.etcd.start();
    for (const host of [a, b, c]) await until(async () => (await host.info()).session === 'held', 15_000);
    await untilEntries(a, wayTo(onC), 10_000);
    onB = await container(lab, b, 'ov');
    await untilWhole();
    expect(await onA.ping(onB.address)).toBe(true);
  });

  it('goes silent and forgets what happened meanwhile: who was cut off is told all of it', async () => {
    const revisions = await endpointRevisions();
    await c.plug('down');
    // What b does now, c does not hear, and cannot be told afterwards: the store forgets it.
    const more = await container(lab, b, 'ov');
    await onB.leave();
    await stage.etcd.compact();
    await until(async () => (await c.info()).session === 'lost', 10_000);
    await expect(container(lab, c, 'ov')).rejects.toThrow(/cluster store/);
    await untilEntries(a, wayTo(more), 15_000);
    await c.plug('up');
    onB = more;
    await untilWhole(30_000);
    expect(await onC.ping(onB.address)).toBe(true);
    expect(await endpointRevisions()).not.toBe(revisions);
  });
});

describe('a host', () => {
  it('dies: the way to it is gone in time, and is back when it returns without a write', async () => {
    const revisions = await endpointRevisions();
    const killed = performance.now();
    await c.killDaemon('SIGKILL');
    await untilEntries(a, wayTo(onB), TTL * 1000 + GRACE_MS + 4000);
    await untilEntries(b, wayTo(onA), 1000);
    expect(performance.now() - killed).toBeGreaterThan(GRACE_MS);
    expect((await a.info()).hosts.find(({ address }) => address === c.address)?.state).toBe('dead');
    await c.startDaemon();
    await untilWhole();
    expect(await onA.ping(onC.address)).toBe(true);
    expect(await endpointRevisions()).toBe(revisions);
  });

  it('is not alone when it vanishes: nothing is changed, and a person is told', async () => {
    await Promise.all([b.killDaemon('SIGKILL'), c.killDaemon('SIGKILL')]);
    await until(async () => (await a.info()).held === 2, 20_000);
    await untilEntries(a, wayTo(onB, onC));
    expect(await onA.ping(onB.address)).toBe(true);
    expect(a.host.daemonLog()).toMatch(/many hosts vanished/);
    // One is back: the other is missing alone, and is believed to be dead.
    await b.startDaemon();
    await untilEntries(a, wayTo(onB), 15_000);
    await c.startDaemon();
    await untilWhole();
    expect((await a.info()).held).toBe(0);
  });

  it('that has the id of another is refused', async () => {
    await a.killDaemon('SIGKILL');
    const twin = lab.host('twin');
    cpSync(path.join(a.host.dir, 'lib'), path.join(twin.dir, 'lib'), { recursive: true });
    cpSync(path.join(a.host.dir, 'daemon.json'), path.join(twin.dir, 'daemon.json'));
    await a.startDaemon();
    await stage.plugIn(twin, 'twin', '192.168.77.50');
    const outcome = await twin.run(process.execPath, [path.resolve('dist/tsnet.js'), 'daemon'], { env: twin.env });
    expect(outcome.status).not.toBe(0);
    expect(outcome.stderr).toMatch(/has this id/);
    await untilWhole();
  });
});

describe('a daemon', () => {
  it('is killed: packets go on, and the next one goes on from there', async () => {
    await a.killDaemon('SIGKILL');
    expect(await onA.ping(onB.address)).toBe(true);
    // While it is away one comes and one goes.
    await onC.leave();
    const next = await container(lab, c, 'ov');
    onC = next;
    await untilEntries(b, wayTo(onA, onC));
    await a.startDaemon();
    await untilWhole();
    expect(await onA.ping(onC.address)).toBe(true);
  });

  it('was away while a container of its host ended: the address is given back', async () => {
    const gone = await container(lab, a, 'ov');
    await untilEntries(b, wayTo(onA, onC, gone));
    await a.killDaemon('SIGKILL');
    gone.namespace.close();
    await a.startDaemon();
    await untilWhole();
    expect((await stage.etcd.ctl('get', '--prefix', '--keys-only', '/tsnet/v1/ep/')).stdout).not.toContain(
      gone.address,
    );
  });
});

describe('an address', () => {
  it('that moves to another host is nowhere led to its old one', async () => {
    const first = await container(lab, a, 'ov', ['--ip', '10.77.9.9']);
    expect(await onC.ping('10.77.9.9')).toBe(true);
    await first.leave();
    const second = await container(lab, b, 'ov', ['--ip', '10.77.9.9']);
    await untilEntries(c, [...wayTo(onA, onB), ...entriesFor('10.77.9.9', b.address)]);
    await untilEntries(a, [...wayTo(onB, onC), ...entriesFor('10.77.9.9', b.address)]);
    expect(await onC.ping('10.77.9.9')).toBe(true);
    expect(await onA.ping('10.77.9.9')).toBe(true);
    await expect(container(lab, c, 'ov', ['--ip', '10.77.9.9'])).rejects.toThrow(/is held by .* on host/);
    await second.leave();
    // And to the one that had it as another's.
    const third = await container(lab, c, 'ov', ['--ip', '10.77.9.9']);
    expect(await onA.ping('10.77.9.9')).toBe(true);
    expect(await onC.ping('10.77.9.9')).toBe(true);
    await third.leave();
    await untilWhole();
  });
});
