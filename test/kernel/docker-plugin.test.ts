/** What an unmodified Docker gets of us as its network and IPAM driver. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOCKER_NEEDS } from '../support/docker-engine.ts';
import { DockerStage } from '../support/docker-stage.ts';
import { FIREWALL_BACKENDS, until } from '../support/lab.ts';
import { missingPrograms, skipReason } from '../support/missing-programs.ts';

const missing = missingPrograms(DOCKER_NEEDS);

describe.skipIf(missing.length > 0).each(FIREWALL_BACKENDS)(
  `with %s, containers of Docker on tsnet networks${skipReason(missing)}`,
  (backend) => {
    let stage: DockerStage;
    beforeAll(async () => {
      stage = await DockerStage.open(backend);
    });
    afterAll(() => stage.close());

    it('run containers that reach one another, the host, and are reached by published ports', async () => {
      await stage.createNetwork('--ipam-driver', 'tsnet', '--subnet', '10.70.0.0/24', 'web');
      await stage.start('c1', '--network', 'web');
      await stage.serve('c2', '--network', 'web', '-p', '8080:80');
      await stage.docker.must('exec', 'c1', '/bin/ping', '-c', '1', '-W', '2', 'c2');
      await stage.docker.must('exec', 'c1', '/bin/ping', '-c', '1', '-W', '2', '10.70.0.1');
      await stage.answers(stage.outside, '192.168.50.1', 8080, 'c2');
      await stage.answers(stage.host, '127.0.0.1', 8080, 'c2');
      expect(await stage.docker.must('exec', 'c1', '/bin/ip', 'route')).toContain('default via 10.70.0.1 dev eth0');
      // What is not published is closed, from the outside and from another network.
      await stage.outside.must('ip', ['route', 'add', '10.70.0.0/24', 'via', '192.168.50.1']);
      expect(await stage.page(stage.outside, await stage.addressOf('c2', 'web'), 80)).toBe('');
    });

    it('are seen by tsnet under the names that Docker has for them, and nothing is drift', async () => {
      await until(async () => (await stage.names()).join() === 'c1,c2');
      expect(await stage.networks()).toEqual(['web']);
      expect(await stage.host.mustTsnet(['port', 'c2'])).toContain('80/tcp -> 0.0.0.0:8080');
      expect(await stage.host.tsnet(['diff'])).toMatchObject({ status: 0 });
      const inspected = JSON.parse(await stage.host.mustTsnet(['inspect', 'web'])) as [{ Id: string; Driver: string }];
      expect(inspected[0]).toMatchObject({
        Id: await stage.docker.must('network', 'inspect', '-f', '{{.Id}}', 'web'),
        Driver: 'bridge',
      });
      expect(await stage.host.mustTsnet(['gc'])).toBe('');
      expect(await stage.host.mustTsnet(['prune', '-f'])).not.toContain('web');
    });

    it('have their host side repaired', async () => {
      const [link = ''] = (
        await stage.host.must('sh', ['-c', `ip -o link show type veth | grep -o 'veth[0-9a-f]*' | sort -u`])
      ).split('\n');
      await stage.host.must('ip', ['link', 'set', link, 'nomaster']);
      expect(await stage.host.tsnet(['diff'])).toMatchObject({ status: 2 });
      await stage.host.mustTsnet(['repair']);
      expect(await stage.host.tsnet(['diff'])).toMatchObject({ status: 0 });
      await stage.docker.must('exec', 'c1', '/bin/ping', '-c', '1', '-W', '2', 'c2');
    });

    it("connect to further networks, with Docker's own addresses too, and leave them", async () => {
      await stage.createNetwork('--subnet', '10.71.0.0/24', '-o', 'name=back', 'db');
      await stage.start('c3', '--network', 'db', '--ip', '10.71.0.9');
      await stage.docker.must('network', 'connect', 'db', 'c1');
      await stage.docker.must('exec', 'c1', '/bin/ping', '-c', '1', '-W', '2', 'c3');
      expect(await stage.host.mustTsnet(['ps', '--format', '{{.Name}} {{.Networks}}'])).toMatch(
        /^c1 (web,back|back,web)$/m,
      );
      // Networks are apart.
      expect(
        (await stage.docker.run('exec', 'c3', '/bin/ping', '-c', '1', '-W', '1', await stage.addressOf('c2', 'web')))
          .status,
      ).toBe(1);
      // Docker has the ports on the network of the default route, which may be another one now.
      await stage.docker.must('network', 'connect', 'db', 'c2');
      await stage.answers(stage.outside, '192.168.50.1', 8080, 'c2');
      await stage.docker.must('network', 'disconnect', 'db', 'c2');
      await stage.answers(stage.outside, '192.168.50.1', 8080, 'c2');
      await stage.docker.must('network', 'disconnect', 'db', 'c1');
      expect((await stage.docker.run('exec', 'c1', '/bin/ping', '-c', '1', '-W', '1', '10.71.0.9')).status).toBe(1);
      expect(await stage.host.tsnet(['diff'])).toMatchObject({ status: 0 });
    });

    it('keep their traffic while the plugin, and Docker, start anew', async () => {
      await stage.plugin.stop('SIGKILL');
      await stage.answers(stage.outside, '192.168.50.1', 8080, 'c2');
      await stage.plugin.start();
      await stage.start('c5', '--network', 'web');
      await stage.docker.must('exec', 'c5', '/bin/ping', '-c', '1', '-W', '2', 'c2');
      await stage.docker.must('rm', '-f', 'c5');
      // --live-restore: its containers outlive it.
      await stage.docker.stop('SIGKILL');
      await stage.answers(stage.outside, '192.168.50.1', 8080, 'c2');
      await stage.docker.start();
      await stage.answers(stage.outside, '192.168.50.1', 8080, 'c2');
      await stage.docker.must('exec', 'c1', '/bin/ping', '-c', '1', '-W', '2', 'c2');
      await stage.docker.must('restart', '-t', '0', 'c2');
      await stage.answers(stage.outside, '192.168.50.1', 8080, 'c2');
      await stage.docker.must('exec', 'c1', '/bin/ping', '-c', '1', '-W', '2', 'c2');
      await until(async () => (await stage.names()).join() === 'c1,c2,c3');
      expect(await stage.host.tsnet(['diff'])).toMatchObject({ status: 0 });
    }, 60_000);

    it('leave nothing when they are removed', async () => {
      await stage.clean();
      expect(await stage.names()).toEqual(['']);
      expect(await stage.networks()).toEqual([]);
      expect(
        await stage.host.must('sh', ['-c', 'ip -br link show type veth; ip -br link show type bridge']),
      ).not.toMatch(/veth|tsif|tsnet|br-/);
      expect(await stage.host.tsnet(['diff'])).toMatchObject({ status: 0 });
      expect(await stage.host.mustTsnet(['gc'])).toBe('');
    });

    it('are on the LAN with -o driver=macvlan', async () => {
      await stage.docker.must(
        ...[
          'network',
          'create',
          '-d',
          'tsnet',
          '--ipam-driver',
          'tsnet',
          '--subnet',
          '192.168.50.0/24',
          '--gateway',
          '192.168.50.2',
        ],
        ...['--ip-range', '192.168.50.64/26', '-o', 'driver=macvlan', '-o', 'parent=eth0', 'lan'],
      );
      await stage.start('m1', '--network', 'lan', '-p', '9090:80');
      const address = await stage.addressOf('m1', 'lan');
      expect(address).toMatch(/^192\.168\.50\.6\d$/);
      await stage.outside.must('ping', ['-c', '1', '-W', '2', address]);
      expect(await stage.host.tsnet(['diff'])).toMatchObject({ status: 0 });
      await stage.docker.must('rm', '-f', 'm1');
      await stage.docker.must('network', 'rm', 'lan');
      expect(await stage.host.must('ip', ['-br', 'link'])).not.toMatch(/tsif/);
    });

    it('have both families', async () => {
      await stage.createNetwork('--ipv6', '--ipam-driver', 'tsnet', 'dual');
      await stage.start('v1', '--network', 'dual');
      await stage.serve('v2', '--network', 'dual', '-p', '8086:80');
      const six = await stage.docker.must(
        'inspect',
        '-f',
        '{{.NetworkSettings.Networks.dual.GlobalIPv6Address}}',
        'v2',
      );
      await stage.docker.must('exec', 'v1', '/bin/ping', '-c', '1', '-W', '2', six);
      const gateway = /default via (fd\S+) dev eth0/.exec(
        await stage.docker.must('exec', 'v1', '/bin/ip', '-6', 'route'),
      )?.[1];
      await stage.answers(stage.host, gateway ?? '', 8086, 'v2');
      await stage.answers(stage.host, '127.0.0.1', 8086, 'v2');
      expect(await stage.host.tsnet(['diff'])).toMatchObject({ status: 0 });
      await stage.clean();
    });

    it('cannot reach out of an internal network', async () => {
      await stage.createNetwork('--internal', '--ipam-driver', 'tsnet', 'inner');
      await stage.start('i1', '--network', 'inner');
      expect(await stage.docker.must('exec', 'i1', '/bin/ip', 'route')).not.toContain('default');
      expect((await stage.docker.run('exec', 'i1', '/bin/ping', '-c', '1', '-W', '1', '192.168.50.2')).status).toBe(1);
      await stage.clean();
    });
  },
);
