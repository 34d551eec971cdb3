/** A host that will not come back, and is removed by hand; and comes back all the same. Three hosts with daemons, on a real etcd. */
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

const lab = new Lab();
let stage: ClusterStage;
let a: ClusterHost;
let b: ClusterHost;
let c: ClusterHost;
/** Of the network with a key an address. */
let onA: TestContainer;
let onB: TestContainer;
let lost: TestContainer;
let kept: TestContainer;
/** Of the network with a key a block. */
let inBlockOfC: TestContainer;
let idOfC = '';

interface Row {
  readonly ID: string;
  readonly Address: string;
  readonly Status: string;
  readonly Networks: string;
  readonly Addresses: string;
  readonly Blocks: string;
}

async function listed(on: ClusterHost): Promise<Row[]> {
  const lines = (await on.tsnet('cluster', 'ls', '--format', 'json')).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Row).toSorted((x, y) => x.Address.localeCompare(y.Address));
}

/** All keys and values in which there is something. */
async function keysWith(text: string): Promise<string[]> {
  const { stdout } = await stage.etcd.ctl('get', '--prefix', '/tsnet/v1/');
  const lines = stdout.split('\n');
  return lines.flatMap((line, index) =>
    index % 2 === 0 && `${line}${lines[index + 1] ?? ''}`.includes(text) ? [line.replace('/tsnet/v1/', '')] : [],
  );
}

const stateOfC = async (on: ClusterHost): Promise<string | undefined> =>
  (await on.info()).hosts.find(({ id }) => id === idOfC)?.state;

stageForFile(lab, { hosts: 3, ttl: 3, config: { 'quarantine-seconds': 2 } }, async (opened) => {
  stage = opened;
  [a, b, c] = stage.hosts as [ClusterHost, ClusterHost, ClusterHost];
  await createOverlay(stage, { name: 'ov', subnet: '10.77.0.0/16' });
  await createOverlay(stage, { name: 'blocks', subnet: '10.78.0.0/16', args: ['-o', 'mode=block'] });
  [onA, onB] = [await container(lab, a, 'ov'), await container(lab, b, 'ov')];
  [lost, kept] = [await container(lab, c, 'ov'), await container(lab, c, 'ov')];
  inBlockOfC = await container(lab, c, 'blocks');
  await container(lab, b, 'blocks');
  idOfC = (await c.info()).hostId;
});

describe('a host of the cluster', () => {
  it('is listed with what it has', async () => {
    expect(
      (await listed(b)).map(({ Address, Status, Addresses, Blocks }) => [Address, Status, Addresses, Blocks]),
    ).toEqual([
      [a.address, 'alive', '1', '0'],
      [b.address, 'alive (this host)', '1', '1'],
      [c.address, 'alive', '2', '1'],
    ]);
  });

  it('is not removed while it is alive, nor a moment after', async () => {
    const refused = async (...args: readonly string[]): Promise<string> => {
      const { status, stderr } = await a.host.tsnet(['cluster', 'rm', ...args]);
      expect(status).toBe(1);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      return stderr;
    };
    expect(await refused('--force', idOfC)).toContain('it is alive');
    expect(await refused((await a.info()).hostId)).toContain('that is this host');
    expect(await refused('nobody')).toContain('no such host');
    expect(await a.tsnet('cluster', 'rm', '--force', 'nobody')).toBe('');
    await c.killDaemon('SIGKILL');
    expect((await c.host.tsnet(['cluster', 'ls'])).stderr).toMatch(/^tsnet: .*a cluster needs the daemon.*\n$/);
    await until(async () => (await stateOfC(a)) === 'gone', 10_000);
    expect(await refused(idOfC)).toMatch(/silent for .* and may be back/);
    expect(await keysWith(idOfC)).toHaveLength(6);
  });

  it('that is dead is removed with all that it has, for all hosts', async () => {
    await until(async () => (await stateOfC(a)) === 'dead' && (await stateOfC(b)) === 'dead', 10_000);
    expect((await listed(a))[2]?.Status).toMatch(/^dead for /);
    const block = inBlockOfC.address.replace(/\.\d+$/, '.0/24');
    const rest = `give back 2 addresses and 1 block (${block}) in`;
    expect(await a.tsnet('cluster', 'rm', '--dry-run', idOfC)).toContain(`would ${rest}`);
    expect(await keysWith(idOfC)).toHaveLength(6);
    expect(await a.tsnet('cluster', 'rm', idOfC)).toContain(`(${idOfC}): ${rest.replace('give', 'gave')} `);
    // What tells the others goes with the session of whoever did it.
    expect(await keysWith(idOfC)).toEqual([`host/${idOfC}`]);
    expect((await listed(b)).map(({ Address }) => Address)).toEqual([a.address, b.address]);
    await until(async () => (await stateOfC(b)) === undefined);
    await untilEntries(a, entriesFor(onB.address, b.address));
    expect((await a.host.tsnet(['cluster', 'rm', idOfC])).stderr).toContain('no such host');
  });

  it('that comes back all the same has what nobody took meanwhile, and is told of the rest', async () => {
    const heir = await container(lab, b, 'ov', ['--ip', lost.address]);
    const inBlockNow = await container(lab, b, 'blocks', ['--ip', inBlockOfC.address]);
    const inBlockOfA = await container(lab, a, 'blocks');
    await c.startDaemon();
    await until(async () => (await listed(a)).length === 3, 10_000);
    const ways = [onB, heir].flatMap(({ address, on }) => entriesFor(address, on.address));
    await until(async () => JSON.stringify(await a.entries()).includes(kept.address), 10_000);
    await until(() => Promise.resolve(c.host.daemonLog().includes('has the address of one of ours')), 10_000);
    await until(() => Promise.resolve(c.host.daemonLog().includes('another host has a block')), 10_000);
    for (const way of [...ways, ...entriesFor(kept.address, c.address)]) expect(await a.entries()).toContain(way);
    expect(await onA.ping(kept.address)).toBe(true);
    expect(await onA.ping(heir.address)).toBe(true);
    expect(await inBlockOfA.ping(inBlockNow.address)).toBe(true);
    // Leaving, the old holders take nothing from the new ones.
    await lost.leave();
    await inBlockOfC.leave();
    const next = await container(lab, c, 'blocks');
    expect(next.address.replace(/\.\d+$/, '')).not.toBe(inBlockNow.address.replace(/\.\d+$/, ''));
    expect(await inBlockOfA.ping(next.address)).toBe(true);
    expect(await onA.ping(heir.address)).toBe(true);
    expect(await inBlockOfA.ping(inBlockNow.address)).toBe(true);
    expect(await keysWith(`ep/`)).toHaveLength(4);
    for (const host of [a, b, c]) await until(async () => (await host.host.tsnet(['diff'])).stdout === '', 10_000);
  });
});
