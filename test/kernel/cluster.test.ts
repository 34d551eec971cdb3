/** Overlay networks over three hosts, each with a daemon of its own, on a real etcd. */
import { describe, expect, it } from 'vitest';
import { container, entriesFor, stageForFile, untilEntries, type ClusterHost } from '../support/cluster-stage.ts';
import { Lab, until } from '../support/lab.ts';

const lab = new Lab();
let a: ClusterHost;
let b: ClusterHost;

stageForFile(lab, { hosts: 3 }, ({ hosts }) => {
  [a, b] = hosts as [ClusterHost, ClusterHost];
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

  it('shows the containers of all hosts, and resolves their names', async () => {
    await a.tsnet('run', '-d', '--name', 'web', '--network', 'ov', '--', 'sleep', '60');
    await b.tsnet('run', '-d', '--name', 'db', '--network', 'ov', '--', 'sleep', '60');
    await until(async () => (await b.entries()).length === 2);
    const [network] = JSON.parse(await b.tsnet('inspect', 'ov')) as readonly {
      readonly Peers: readonly { readonly IP: string }[];
      readonly Containers: Readonly<Record<string, { readonly Name: string; readonly IPv4Address: string }>>;
    }[];
    expect(network?.Peers.map(({ IP }) => IP).sort()).toEqual([a.address, b.address]);
    const containers = Object.values(network?.Containers ?? {});
    expect(containers.map(({ Name }) => Name).sort()).toEqual(['db', 'web']);
    expect(containers.every(({ IPv4Address }) => IPv4Address.endsWith('/16'))).toBe(true);
    const address = containers.find(({ Name }) => Name === 'web')?.IPv4Address.split('/')[0] ?? '';
    expect(await b.tsnet('exec', 'db', 'getent', 'hosts', 'web')).toContain(address);
    expect(await b.tsnet('exec', 'db', 'getent', 'hosts', address)).toMatch(/web\.ov$/m);
    expect(await b.tsnet('exec', 'db', 'ping', '-c', '1', '-W', '2', 'web')).toContain('1 received');
    expect(await b.tsnet('info')).toMatch(/ov: 2 addresses, 2 entries for other hosts/);
    expect((await b.host.tsnet(['rm', 'ov'])).stderr).toMatch(/active endpoints/);
    await b.tsnet('stop', 'db');
    expect((await b.host.tsnet(['rm', 'ov'])).stderr).toMatch(/web on host/);
    await a.tsnet('stop', 'web');
    await b.tsnet('rm', 'ov');
    await until(async () => !(await a.tsnet('ls', '--format', '{{.Name}}')).split('\n').includes('ov'));
  });

  it('needs the daemon, and says so', async () => {
    await b.killDaemon('SIGTERM');
    const outcome = await b.host.tsnet(['create', '-d', 'overlay', '--subnet', '10.78.0.0/16', 'alone']);
    expect(outcome.status).not.toBe(0);
    expect(outcome.stderr).toMatch(/overlay networks need the daemon/);
    await b.startDaemon();
  });
});
