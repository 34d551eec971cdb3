/** Networks of a cluster in unmodified Dockers: host a and host c have a dockerd each, host b has none. */
import { afterAll, describe, expect, it } from 'vitest';
import {
  container,
  entriesFor,
  stageForFile,
  untilEntries,
  type ClusterHost,
  type ClusterStage,
  type HostSpecials,
} from '../support/cluster-stage.ts';
import { DOCKER_NEEDS, DockerEngine, IMAGE } from '../support/docker-engine.ts';
import { Lab, until, type Host, type Outcome } from '../support/lab.ts';
import { missingPrograms, skipReason } from '../support/missing-programs.ts';

const missing = missingPrograms(DOCKER_NEEDS);
const WAIT = ['/bin/sleep', '1000'];

describe.skipIf(missing.length > 0)(`a network of the cluster in Docker${skipReason(missing)}`, () => {
  const lab = new Lab();
  const dockers = new Map<number, DockerEngine>();
  let stage: ClusterStage;
  let a: ClusterHost;
  let b: ClusterHost;
  let c: ClusterHost;
  let onA: DockerEngine;
  let onC: DockerEngine;

  const prepare = async (host: Host, number: number): Promise<HostSpecials> => {
    if (number === 2) return { config: { 'docker-plugin': false } };
    // A host has one /run/docker, and the hosts of a lab share their files.
    await host.hide('/run/docker');
    const docker = new DockerEngine(host, ['--live-restore']);
    dockers.set(number, docker);
    return { env: docker.env };
  };
  stageForFile(lab, { hosts: 3, prepare }, async (opened) => {
    stage = opened;
    [a, b, c] = stage.hosts as [ClusterHost, ClusterHost, ClusterHost];
    [onA, onC] = [...dockers.values()] as [DockerEngine, DockerEngine];
    for (const docker of dockers.values()) {
      await docker.start();
      await docker.importImage();
    }
    await until(() => [a, c].every((one) => one.host.daemonLog().includes('serving Docker')), 10_000);
  });
  afterAll(async () => {
    for (const docker of dockers.values()) {
      const left = (await docker.run('ps', '-aq')).stdout.split('\n').filter(Boolean);
      if (left.length > 0) await docker.run('rm', '-f', ...left);
      await docker.stop();
      docker.endLeftovers();
    }
  });

  const create = (docker: DockerEngine, ...more: readonly string[]): Promise<Outcome> =>
    docker.run('network', 'create', '-d', 'tsnet', '--ipam-driver', 'tsnet', '-o', 'driver=overlay', ...more);
  const SUBNET = ['--subnet', '10.77.0.0/16'];
  const start = (docker: DockerEngine, name: string, ...more: readonly string[]): Promise<Outcome> =>
    docker.run('run', '-d', '--stop-timeout', '0', '--name', name, '--network', 'ov', ...more, IMAGE, ...WAIT);
  const addressOf = (docker: DockerEngine, name: string): Promise<string> =>
    docker.must('inspect', '-f', '{{.NetworkSettings.Networks.ov.IPAddress}}', name);
  const pings = async (docker: DockerEngine, name: string, address: string): Promise<boolean> =>
    (await docker.run('exec', name, '/bin/ping', '-c', '1', '-W', '2', address)).status === 0;
  /** Addresses of the network that somebody has, by the store. */
  const claimed = async (): Promise<string[]> =>
    (await stage.etcd.ctl('get', '--prefix', '--keys-only', '/tsnet/')).stdout
      .split('\n')
      .flatMap((key) => (key.includes('/ep/') ? [key.slice(key.lastIndexOf('/') + 1)] : []))
      .sort();
  const names = async (on: ClusterHost): Promise<string[]> =>
    (await on.tsnet('ls', '--format', '{{.Name}}')).split('\n');

  it('is refused where Docker could not have it as the other hosts do', async () => {
    const refusal = async (...args: readonly string[]): Promise<string> => (await create(onA, ...args)).stderr;
    expect(await refusal(...SUBNET, 'ov')).toContain('add -o name=NAME');
    expect(await refusal('--ipam-driver', 'default', ...SUBNET, '-o', 'name=ov', 'ov')).toContain(
      'add --ipam-driver tsnet',
    );
    expect(await claimed()).toEqual([]);
    expect(await names(a)).not.toContain('ov');
  });

  it('is made by one host, and joined by the others with the same command', async () => {
    // At the same moment, as a compose file on all hosts has it: one of them makes it.
    const made = await Promise.all([onA, onC].map((docker) => create(docker, ...SUBNET, '-o', 'name=ov', 'ov')));
    expect(made).toMatchObject([{ status: 0 }, { status: 0 }]);
    await until(async () => (await names(b)).includes('ov'));
    const again = await create(onA, ...SUBNET, '-o', 'name=ov', 'ov2');
    expect(again.stderr).toContain('is taken by network ov');
    await b.tsnet('create', '-d', 'overlay', '--subnet', '10.78.0.0/16', 'theirs');
    const other = await create(onC, '--subnet', '10.79.0.0/16', '-o', 'name=theirs', 'theirs');
    expect(other.stderr).toContain('it has 10.78.0.0/16; say --subnet 10.78.0.0/16');
    await b.tsnet('rm', 'theirs');
  });

  it('joins containers of Docker and others, on whatever host', async () => {
    const box = await container(lab, b, 'ov');
    expect(await start(onA, 'c1', '-p', '8080:80')).toMatchObject({ status: 0 });
    expect(await start(onC, 'c3')).toMatchObject({ status: 0 });
    const [one, three] = [await addressOf(onA, 'c1'), await addressOf(onC, 'c3')];
    expect(await claimed()).toEqual([box.address, one, three].sort());
    await untilEntries(b, [...entriesFor(one, a.address), ...entriesFor(three, c.address)]);
    await untilEntries(a, [...entriesFor(box.address, b.address), ...entriesFor(three, c.address)]);
    expect([await box.ping(one), await box.ping(three)]).toEqual([true, true]);
    expect(await pings(onA, 'c1', box.address)).toBe(true);
    expect(await pings(onA, 'c1', three)).toBe(true);
    expect(await pings(onC, 'c3', one)).toBe(true);
    // The other hosts see them under the names that Docker has for them.
    await until(async () => /"Name": "c1"/.test(await b.tsnet('inspect', 'ov')));
    await b.tsnet('run', '-d', '--name', 'asker', '--network', 'ov', '--', 'sleep', '60');
    await until(async () => (await b.host.tsnet(['exec', 'asker', 'getent', 'hosts', 'c1'])).stdout.includes(one));
    await b.tsnet('stop', 'asker');
    // The port is published on the container's host.
    await onA.must('exec', '-d', 'c1', '/bin/sh', '-c', 'while :; do echo served | nc -l -p 80; done');
    await until(async () =>
      (await b.host.run('sh', ['-c', `busybox nc -w 2 ${a.address} 8080 </dev/null`])).stdout.includes('served'),
    );
    for (const on of [a, c]) expect(await on.host.tsnet(['diff'])).toMatchObject({ status: 0 });

    const taken = await start(onC, 'c4', '--ip', box.address);
    expect(taken.stderr).toMatch(/is held by .* on host/);
    await onC.must('rm', '-f', 'c4');
    await box.leave();
    await untilEntries(a, entriesFor(three, c.address));
    expect(await claimed()).toEqual([one, three].sort());
  });

  it('outlives daemons and Dockers', async () => {
    const [one, three] = [await addressOf(onA, 'c1'), await addressOf(onC, 'c3')];
    await a.killDaemon('SIGKILL');
    await onC.stop('SIGKILL');
    expect(await pings(onA, 'c1', three)).toBe(true);
    await onC.start();
    await a.startDaemon();
    await until(() => a.host.daemonLog().includes('serving Docker'), 10_000);
    expect(await start(onA, 'c2')).toMatchObject({ status: 0 });
    expect(await pings(onC, 'c3', await addressOf(onA, 'c2'))).toBe(true);
    await onA.must('rm', '-f', 'c2');
    await until(async () => (await claimed()).join() === [one, three].sort().join());
  });

  it('has no address for a container that has left', async () => {
    const three = await addressOf(onC, 'c3');
    await onA.must('network', 'disconnect', 'ov', 'c1');
    expect(await claimed()).toEqual([three]);
    await untilEntries(c, []);
    await onA.must('network', 'connect', 'ov', 'c1');
    expect(await pings(onA, 'c1', three)).toBe(true);
  });

  it('is let go of where Docker has forgotten it, and can be joined again', async () => {
    const one = await addressOf(onA, 'c1');
    // What Docker has just made it may not list yet.
    const createdMs = Date.parse(await onC.must('inspect', '-f', '{{.State.StartedAt}}', 'c3'));
    await until(() => Date.now() - createdMs > 11_000);
    await c.killDaemon('SIGTERM');
    await onC.killAndForget();
    await onC.start();
    await c.startDaemon();
    await until(async () => (await claimed()).join() === one, 20_000);
    await until(async () => (await create(onC, ...SUBNET, '-o', 'name=ov', 'ov')).status === 0);
    expect(await start(onC, 'c3')).toMatchObject({ status: 0 });
    expect(await pings(onA, 'c1', await addressOf(onC, 'c3'))).toBe(true);
    // A comparison with a Docker that has it by another id than ours takes nothing away.
    await until(async () => /^c3$/m.test(await c.tsnet('ps', '--format', '{{.Name}}')));
    await c.killDaemon('SIGKILL');
    await c.startDaemon();
    await until(() => c.host.daemonLog().includes('serving Docker'), 10_000);
    expect(await start(onC, 'c4')).toMatchObject({ status: 0 });
    await until(async () => /^c4$/m.test(await c.tsnet('ps', '--format', '{{.Name}}')));
    expect(await pings(onA, 'c1', await addressOf(onC, 'c4'))).toBe(true);
    expect(await pings(onA, 'c1', await addressOf(onC, 'c3'))).toBe(true);
    await onC.must('rm', '-f', 'c4');
  }, 60_000);

  it('stays where Docker removes it on one host, and goes with the last', async () => {
    await onA.must('rm', '-f', 'c1');
    await onA.must('network', 'rm', 'ov');
    await until(() => a.host.daemonLog().includes('stays in the cluster'));
    expect(await names(a)).toContain('ov');
    await a.tsnet('run', '-d', '--name', 'own', '--network', 'ov', '--', 'sleep', '60');
    await a.tsnet('exec', 'own', 'ping', '-c', '1', '-W', '2', await addressOf(onC, 'c3'));
    await a.tsnet('stop', 'own');
    await onC.must('rm', '-f', 'c3');
    // Docker of host c still has it.
    expect((await b.host.tsnet(['rm', 'ov'])).stderr).toContain('Docker has it on host');
    expect(await create(onA, ...SUBNET, '-o', 'name=ov', 'again')).toMatchObject({ status: 0 });
    await onA.must('network', 'rm', 'again');
    await onC.must('network', 'rm', 'ov');
    for (const on of [a, b, c]) await until(async () => !(await names(on)).includes('ov'));
    expect((await stage.etcd.ctl('get', '--prefix', '--keys-only', '/tsnet/')).stdout).not.toMatch(
      /\/(net|netname|pool|vni|ep|dkr)\//,
    );
    for (const on of [a, c]) expect(await on.host.tsnet(['diff'])).toMatchObject({ status: 0 });
  });

  it('has both families, or blocks of addresses', async () => {
    const kinds = [
      ['--ipv6', '--subnet', '10.80.0.0/16', '--subnet', 'fd80::/64', '-o', 'name=dual'],
      ['--subnet', '10.81.0.0/16', '-o', 'name=blocks', '-o', 'mode=block'],
    ];
    for (const kind of kinds) {
      for (const docker of [onA, onC]) {
        expect(await create(docker, ...kind, 'ov')).toMatchObject({ status: 0 });
        expect(await start(docker, 'dual')).toMatchObject({ status: 0, stderr: '' });
      }
      const settings = await onC.must('inspect', '-f', '{{json .NetworkSettings.Networks.ov}}', 'dual');
      const { IPAddress, GlobalIPv6Address } = JSON.parse(settings) as Record<string, string>;
      for (const address of [IPAddress, GlobalIPv6Address].filter((one) => one !== undefined && one !== ''))
        expect(await until(() => pings(onA, 'dual', address ?? ''))).toBe(true);
      for (const on of [a, c]) expect(await on.host.tsnet(['diff'])).toMatchObject({ status: 0 });
      for (const docker of [onA, onC]) {
        await docker.must('rm', '-f', 'dual');
        await docker.must('network', 'rm', 'ov');
      }
      await until(async () => (await names(b)).every((name) => name !== 'dual' && name !== 'blocks'));
    }
    const both = ['--ipv6', '--subnet', '10.82.0.0/16', '--subnet', 'fd82::/64', '-o', 'mode=block'];
    expect((await create(onA, ...both, '-o', 'name=both', 'ov')).stderr).toContain(
      'mode=block; leave one of the two out',
    );
  });
});
