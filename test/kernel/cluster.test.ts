/** Overlay networks over three hosts, each with a daemon of its own, on a real etcd. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  entriesFor,
  openClusterStage,
  untilEntries,
  type ClusterHost,
  type ClusterStage,
} from '../support/cluster-stage.ts';
import { Lab, must, until } from '../support/lab.ts';

const lab = new Lab();
let stage: ClusterStage;
let a: ClusterHost;
let b: ClusterHost;
let c: ClusterHost;

beforeAll(async () => {
  stage = await openClusterStage(lab, { hosts: 3, ttl: 3 });
  [a, b, c] = stage.hosts as [ClusterHost, ClusterHost, ClusterHost];
});

afterAll(async () => {
  await stage.close();
  lab.close();
});

let counter = 0;

/** A container on a host: a namespace of its own, connected to a network; its address. */
async function container(on: ClusterHost, network: string, args: readonly string[] = []) {
  const namespace = lab.namespace(`k${String(counter++)}`);
  const reference = `netns:${namespace.name}`;
  const answer = JSON.parse(await on.tsnet('connect', '--format', 'json', ...args, network, reference)) as {
    readonly endpoint: { readonly addresses: readonly { readonly address: string }[] };
  };
  const address = (answer.endpoint.addresses[0]?.address ?? '').split('/')[0] ?? '';
  return {
    namespace,
    reference,
    address,
    ping: (to: string) => namespace.run('ping', ['-c', '1', '-W', '2', to]),
    leave: () => on.tsnet('disconnect', network, reference),
  };
}

describe('an overlay network', () => {
  it('that one host makes is there on all, and joins their containers', async () => {
    await a.tsnet('create', '-d', 'overlay', '--subnet', '10.77.0.0/16', 'ov');
    await until(async () => (await b.tsnet('ls', '--format', '{{.Name}} {{.Scope}}')).includes('ov global'));
    const one = await container(a, 'ov');
    const two = await container(b, 'ov');
    expect((await one.ping(two.address)).status).toBe(0);
    expect((await two.ping(one.address)).status).toBe(0);
    await untilEntries(a, entriesFor(two.address, b.address));
    await two.leave();
    await untilEntries(a, []);
    await one.leave();
  });
});
void must;
void c;
