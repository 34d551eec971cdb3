/** Docker and tsnet share addresses, subnets and ports, and each may refuse, forget or restart. */
import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOCKER_NEEDS, IMAGE } from '../support/docker-engine.ts';
import { DockerStage } from '../support/docker-stage.ts';
import { until } from '../support/lab.ts';
import { missingPrograms, skipReason } from '../support/missing-programs.ts';

const missing = missingPrograms(DOCKER_NEEDS);

describe.skipIf(missing.length > 0)(`networks of Docker's on tsnet${skipReason(missing)}`, () => {
  let stage: DockerStage;
  beforeAll(async () => {
    stage = await DockerStage.open();
  });
  afterAll(() => stage.close());

  it('give no address twice, whoever asks', async () => {
    await stage.createNetwork('--ipam-driver', 'tsnet', '--subnet', '10.70.0.0/24', 'web');
    await stage.createNetwork('--subnet', '10.71.0.0/24', '-o', 'name=back', 'db');
    await stage.start('c1', '--network', 'web');
    await until(async () => (await stage.networks()).includes('web'));
    await stage.host.must('ip', ['netns', 'add', 'box-ns']);
    try {
      await stage.host.mustTsnet(['connect', 'web', 'netns:box-ns']);
      const box = /10\.70\.0\.\d+/.exec(
        await stage.host.must('ip', ['-n', 'box-ns', '-4', '-o', 'address', 'show', 'dev', 'eth0']),
      )?.[0];
      const refused = await stage.docker.run(
        ...['run', '-d', '--name', 'c4', '--network', 'web', '--ip', box ?? '', IMAGE, '/bin/sleep', '9'],
      );
      expect(refused.status).not.toBe(0);
      expect(refused.stderr).toContain(`${box ?? ''}: it is held by container box-ns`);
      await stage.docker.must('rm', '-f', 'c4');
      // Docker's own IPAM knows nothing of us.
      const blind = await stage.host.tsnet(['connect', 'back', 'netns:box-ns']);
      expect(blind.stderr).toContain("Docker's own IPAM gives its addresses");
    } finally {
      await stage.host.mustTsnet(['disconnect', 'web', 'netns:box-ns']);
      await stage.host.must('ip', ['netns', 'delete', 'box-ns']);
    }
    await stage.clean();
  });

  it('have addresses of tsnet’s on networks of Docker’s own drivers', async () => {
    const subnet = ['--ipam-driver', 'tsnet', '--subnet', '10.76.0.0/29', '--aux-address', 'nas=10.76.0.2'];
    await stage.docker.must('network', 'create', '-d', 'bridge', ...subnet, 'own');
    await stage.start('o1', '--network', 'own');
    expect(await stage.addressOf('o1', 'own')).toBe('10.76.0.3');
    expect((await stage.host.tsnet(['create', '--subnet', '10.76.0.0/24', 'mine'])).stderr).toContain(
      'that Docker made',
    );
    await stage.clean();
    await stage.host.mustTsnet(['create', '--subnet', '10.76.0.0/24', 'mine']);
    await stage.host.mustTsnet(['rm', 'mine']);
  });

  it('are refused in one line, and nothing is half-made', async () => {
    const create = (...args: readonly string[]) => stage.docker.run('network', 'create', '-d', 'tsnet', ...args);
    const subnet = ['--subnet', '10.72.0.0/24'];
    const unknownDriver = await create('--ipam-driver', 'tsnet', '-o', 'driver=nonsense', ...subnet, 'x');
    expect(unknownDriver.stderr).toContain('tsnet has no driver "nonsense" for Docker');
    const overlay = await create('-o', 'driver=overlay', ...subnet, 'x');
    expect(overlay.stderr).toContain('overlay networks need a store that the hosts share');
    const unknownOption = await create('-o', 'colour=red', ...subnet, 'x');
    expect(unknownOption.stderr).toContain('colour');
    await stage.createNetwork('--ipam-driver', 'tsnet', ...subnet, 'x');
    const overlap = await create('--ipam-driver', 'tsnet', '--subnet', '10.72.0.0/25', 'y');
    expect(overlap.stderr).toContain('overlaps');
    await stage.serve('p1', '--network', 'x', '-p', '8081:80');
    const port = await stage.docker.run(
      ...['run', '-d', '--name', 'p2', '--network', 'x', '-p', '8081:80', IMAGE, '/bin/sleep', '9'],
    );
    expect(port.stderr).toContain('port 8081 is published by container p1');
    expect(await stage.host.tsnet(['diff'])).toMatchObject({ status: 0 });
    await stage.clean();
    expect(await stage.networks()).toEqual([]);
  });

  it('are collected when Docker has forgotten them', async () => {
    await stage.createNetwork('--ipam-driver', 'tsnet', '--subnet', '10.73.0.0/24', 'lost');
    await stage.start('f1', '--network', 'lost');
    await until(async () => (await stage.names()).join() === 'f1');
    await stage.plugin.stop();
    await stage.docker.killAndForget();
    await stage.docker.start();
    // Docker has been given time enough to write down what it made.
    await stage.plugin.start(3_600_000);
    await until(async () => (await stage.networks()).length === 0, 15_000);
    expect(await stage.names()).toEqual(['']);
    await stage.createNetwork('--ipam-driver', 'tsnet', '--subnet', '10.73.0.0/24', 'lost');
    await stage.docker.must('network', 'rm', 'lost');
  }, 60_000);

  it('are served by the daemon just as well, which mends what others break', async () => {
    await stage.plugin.stop();
    mkdirSync('/run/docker', { recursive: true });
    await stage.host.startDaemon([], stage.docker.env);
    await until(() => stage.host.daemonLog().includes('serving Docker'), 10_000);
    await stage.createNetwork('--ipam-driver', 'tsnet', '--subnet', '10.74.0.0/24', 'web');
    await stage.serve('d1', '--network', 'web', '-p', '8084:80');
    await stage.answers(stage.outside, '192.168.50.1', 8084, 'd1');
    await until(async () => (await stage.names()).join() === 'd1');
    const [link = ''] = (
      await stage.host.must('sh', ['-c', "ip -o link show type veth | grep -o 'veth[0-9a-f]*'"])
    ).split('\n');
    await stage.host.must('ip', ['link', 'set', link, 'down']);
    await until(async () => (await stage.host.must('ip', ['-o', 'link', 'show', link])).includes('state UP'), 10_000);
    await stage.host.stopDaemon();
    await stage.answers(stage.outside, '192.168.50.1', 8084, 'd1');
    await stage.host.startDaemon([], stage.docker.env);
    await until(() => stage.host.daemonLog().includes('serving Docker'), 10_000);
    await stage.clean();
    expect(await stage.names()).toEqual(['']);
    expect(await stage.host.tsnet(['diff'])).toMatchObject({ status: 0 });
    await stage.host.stopDaemon();
  }, 60_000);
});
