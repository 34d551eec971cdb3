/** Overlay networks over three hosts, each with a daemon of its own, on a real etcd. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  container,
  entriesFor,
  openClusterStage,
  untilEntries,
  type ClusterHost,
  type ClusterStage,
} from '../support/cluster-stage.ts';
import { Lab, until } from '../support/lab.ts';

const lab = new Lab();
let stage: ClusterStage;
let a: ClusterHost;
let b: ClusterHost;

beforeAll(async () => {
  stage = await openClusterStage(lab, { hosts: 3, ttl: 3 });
  [a, b] = stage.hosts as [ClusterHost, ClusterHost];
});

/** What the daemons said, where a test fails. */
afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const { host, address } of stage.hosts) process.stderr.write(`${address}\n${host.daemonLog()}\n`);
});

afterAll(async () => {
  await stage.close();
  lab.close();
});

describe('an overlay network', () => {
  it('that one host makes is there on all, and joins their containers', async () => {
    await a.tsnet('create', '-d', 'overlay', '--subnet', '10.77.0.0/16', 'ov');
    await until(async () => (await b.tsnet('ls', '--format', '{{.Name}} {{.Scope}}')).includes('ov global'));
    const one = await container(lab, a, 'ov');
    const two = await container(lab, b, 'ov');
    expect(await one.ping(two.address)).toBe(true);
    expect(await two.ping(one.address)).toBe(true);
    await untilEntries(a, entriesFor(two.address, b.address));
    await two.leave();
    await untilEntries(a, []);
    await one.leave();
  });
});
