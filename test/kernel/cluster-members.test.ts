/**
 * A store of three servers on three machines: a host that speaks to one of them goes on with another when it dies or falls silent, and is
 * never taken for dead meanwhile. Without a majority of them nothing is claimed.
 */
import { expect, it } from 'vitest';
import {
  container,
  createOverlay,
  entriesFor,
  stageForFile,
  untilEntries,
  type ClusterHost,
  type ClusterStage,
  type StoreMember,
  type TestContainer,
} from '../support/cluster-stage.ts';
import { Lab, until } from '../support/lab.ts';

/** Seconds: a silent server is known after 7.5, so that a host may need nearly as long to be heard again. */
const TTL = 15;

const lab = new Lab();
let stage: ClusterStage;
let a: ClusterHost;
let b: ClusterHost;
let onA: TestContainer;
let onB: TestContainer;

stageForFile(lab, { hosts: 2, members: 3, ttl: TTL }, async (opened) => {
  stage = opened;
  [a, b] = stage.hosts as [ClusterHost, ClusterHost];
  await createOverlay(stage, { name: 'ov', subnet: '10.77.0.0/16' });
  [onA, onB] = [await container(lab, a, 'ov'), await container(lab, b, 'ov')];
});

/** The server that a host speaks to. */
async function spokenTo(host: ClusterHost): Promise<StoreMember> {
  const { store } = await host.info();
  const member = stage.members.find(({ address }) => store.endpoint?.startsWith(`${address}:`) === true);
  if (member === undefined) throw new Error(`${host.address} speaks to ${store.endpoint ?? 'nobody'}`);
  return member;
}

/** A claim of `a` is made, and heard by `b`, over whatever server they have now. */
async function untilAnAttachIsHeard(): Promise<void> {
  let made: TestContainer | undefined;
  // A call over a connection that has just died is not made twice.
  await until(async () => {
    made = await container(lab, a, 'ov').catch(() => undefined);
    return made !== undefined;
  }, 12_000);
  if (made === undefined) return;
  await untilEntries(b, [...entriesFor(onA.address, a.address), ...entriesFor(made.address, a.address)], 12_000);
  expect(await onB.ping(made.address)).toBe(true);
  await made.leave();
  await untilEntries(b, entriesFor(onA.address, a.address), 12_000);
}

const timesLost = (host: ClusterHost): number =>
  host.host.daemonLog().match(/has dropped out of the cluster/g)?.length ?? 0;

it('the server that a host speaks to is killed: it goes on with another, and keeps its session', async () => {
  const before = await spokenTo(a);
  await before.etcd.kill();
  await untilAnAttachIsHeard();
  expect((await spokenTo(a)).address).not.toBe(before.address);
  await before.etcd.start();
  expect(timesLost(a) + timesLost(b)).toBe(0);
});

it('the server that a host speaks to falls silent: it goes on with another before it is taken for dead', async () => {
  const before = await spokenTo(a);
  const silentAt = performance.now();
  await before.plug('down');
  await untilAnAttachIsHeard();
  expect((await spokenTo(a)).address).not.toBe(before.address);
  // A sign of life that was answered since: the session lives longer than the last one before could have made it.
  await until(async () => {
    const { sessionRemainingMs = 0 } = await a.info();
    return performance.now() + sessionRemainingMs > silentAt + TTL * 1000 + 1000;
  }, TTL * 1000);
  expect(timesLost(a) + timesLost(b)).toBe(0);
  await before.plug('up');
});

it('two of three are gone: packets go on, an attach fails with its reason, and all goes on with the second', async () => {
  const gone = stage.members.slice(0, 2);
  await Promise.all(gone.map(({ etcd }) => etcd.kill()));
  expect(await onA.ping(onB.address)).toBe(true);
  await expect(container(lab, a, 'ov')).rejects.toThrow(/cluster store.*running containers are not affected/);
  await gone[1]?.etcd.start();
  await untilAnAttachIsHeard();
  await gone[0]?.etcd.start();
});
