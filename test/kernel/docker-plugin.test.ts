/** What an unmodified Docker gets of us as its network and IPAM driver. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOCKER_NEEDS, DockerEngine, IMAGE } from '../support/docker-engine.ts';
import { DockerPlugin } from '../support/docker-plugin-process.ts';
import { Lab, until, type Host, type Namespace } from '../support/lab.ts';

const missing = DOCKER_NEEDS.filter((name) => {
  try {
    execFileSync('sh', ['-c', 'command -v "$1"', 'sh', name], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
});
const reason =
  missing.length === 0 ? '' : ` (skipped: ${missing.join(', ')} not installed; \`make test\` installs them)`;

const FETCH = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 "$1" "$2"`;

describe.skipIf(missing.length > 0)(`Docker on tsnet networks${reason}`, () => {
  const lab = new Lab();
  let host: Host;
  let outside: Namespace;
  let docker: DockerEngine;
  let plugin: DockerPlugin;

  const page = async (from: Namespace, address: string, port: number): Promise<string> =>
    (await from.run('sh', ['-c', FETCH, 'sh', address, String(port)])).stdout;
  const start = (name: string, ...more: readonly string[]): Promise<string> =>
    docker.must('run', '-d', '--stop-timeout', '0', '--name', name, ...more, IMAGE, '/bin/sleep', '1000');
  const serve = (name: string, ...more: readonly string[]): Promise<string> =>
    docker.must(
      ...['run', '-d', '--stop-timeout', '0', '--name', name, ...more, IMAGE, '/bin/sh', '-c'],
      `mkdir -p /www && echo ${name} >/www/index.html && exec httpd -f -h /www -p 80`,
    );
  const answers = (from: Namespace, address: string, port: number, text: string): Promise<unknown> =>
    until(async () => (await page(from, address, port)).includes(text));
  const names = async (): Promise<string[]> =>
    (await host.mustTsnet(['ps', '--format', '{{.Name}}'])).split('\n').sort();
  const networks = async (): Promise<string[]> =>
    (await host.mustTsnet(['ls', '--filter', 'type=custom', '--format', '{{.Name}}'])).split('\n').filter(Boolean);
  const addressOf = async (name: string, network: string): Promise<string> =>
    docker.must('inspect', '-f', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, name);
  const clean = async (): Promise<void> => {
    const left = (await docker.must('ps', '-aq')).split('\n').filter(Boolean);
    if (left.length > 0) await docker.must('rm', '-f', ...left);
    await docker.must('network', 'prune', '-f');
  };

  beforeAll(async () => {
    [host, outside] = [lab.host(), lab.namespace('out')];
    await lab.wire(host, 'eth0', ['192.168.50.1/24'], outside, 'eth0', ['192.168.50.2/24']);
    docker = new DockerEngine(host, ['--live-restore']);
    plugin = new DockerPlugin(host, docker.socket);
    await plugin.start();
    await docker.start();
    await docker.importImage();
  }, 60_000);

  afterAll(async () => {
    await clean().catch(() => undefined);
    await docker.stop();
    await plugin.stop();
    docker.endLeftovers();
    lab.close();
  }, 60_000);

  it('run containers that reach one another, the host, and are reached by published ports', async () => {
    await docker.must('network', 'create', '-d', 'tsnet', '--ipam-driver', 'tsnet', '--subnet', '10.70.0.0/24', 'web');
    await start('c1', '--network', 'web');
    await serve('c2', '--network', 'web', '-p', '8080:80');
    await docker.must('exec', 'c1', '/bin/ping', '-c', '1', '-W', '2', 'c2');
    await docker.must('exec', 'c1', '/bin/ping', '-c', '1', '-W', '2', '10.70.0.1');
    await answers(outside, '192.168.50.1', 8080, 'c2');
    await answers(host, '127.0.0.1', 8080, 'c2');
    expect(await docker.must('exec', 'c1', '/bin/ip', 'route')).toContain('default via 10.70.0.1 dev eth0');
    // What is not published is closed, from the outside and from another network.
    await outside.must('ip', ['route', 'add', '10.70.0.0/24', 'via', '192.168.50.1']);
    expect(await page(outside, await addressOf('c2', 'web'), 80)).toBe('');
  });

  it('are seen by tsnet under the names that Docker has for them, and nothing is drift', async () => {
    await until(async () => (await names()).join() === 'c1,c2');
    expect(await networks()).toEqual(['web']);
    expect(await host.mustTsnet(['port', 'c2'])).toContain('80/tcp -> 0.0.0.0:8080');
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
    const inspected = JSON.parse(await host.mustTsnet(['inspect', 'web'])) as [{ Id: string; Driver: string }];
    expect(inspected[0]).toMatchObject({
      Id: await docker.must('network', 'inspect', '-f', '{{.Id}}', 'web'),
      Driver: 'bridge',
    });
    expect(await host.mustTsnet(['gc'])).toBe('');
    expect(await host.mustTsnet(['prune', '-f'])).not.toContain('web');
  });

  it('have their host side repaired', async () => {
    const [link = ''] = (
      await host.must('sh', ['-c', `ip -o link show type veth | grep -o 'veth[0-9a-f]*' | sort -u`])
    ).split('\n');
    await host.must('ip', ['link', 'set', link, 'nomaster']);
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 2 });
    await host.mustTsnet(['repair']);
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
    await docker.must('exec', 'c1', '/bin/ping', '-c', '1', '-W', '2', 'c2');
  });

  it("connect to further networks, with Docker's own addresses too, and leave them", async () => {
    await docker.must('network', 'create', '-d', 'tsnet', '--subnet', '10.71.0.0/24', '-o', 'name=back', 'db');
    await start('c3', '--network', 'db', '--ip', '10.71.0.9');
    await docker.must('network', 'connect', 'db', 'c1');
    await docker.must('exec', 'c1', '/bin/ping', '-c', '1', '-W', '2', 'c3');
    expect(await host.mustTsnet(['ps', '--format', '{{.Name}} {{.Networks}}'])).toMatch(/^c1 (web,back|back,web)$/m);
    // Networks are apart.
    expect(
      (await docker.run('exec', 'c3', '/bin/ping', '-c', '1', '-W', '1', await addressOf('c2', 'web'))).status,
    ).toBe(1);
    // Docker has the ports on the network of the default route, which may be another one now.
    await docker.must('network', 'connect', 'db', 'c2');
    await answers(outside, '192.168.50.1', 8080, 'c2');
    await docker.must('network', 'disconnect', 'db', 'c2');
    await answers(outside, '192.168.50.1', 8080, 'c2');
    await docker.must('network', 'disconnect', 'db', 'c1');
    expect((await docker.run('exec', 'c1', '/bin/ping', '-c', '1', '-W', '1', '10.71.0.9')).status).toBe(1);
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
  });

  it('give no address twice, whoever asks', async () => {
    await host.must('ip', ['netns', 'add', 'box-ns']);
    try {
      await host.mustTsnet(['connect', 'web', 'netns:box-ns']);
      const box = /10\.70\.0\.\d+/.exec(
        await host.must('ip', ['-n', 'box-ns', '-4', '-o', 'address', 'show', 'dev', 'eth0']),
      )?.[0];
      const refused = await docker.run(
        'run',
        '-d',
        '--name',
        'c4',
        '--network',
        'web',
        '--ip',
        box ?? '',
        IMAGE,
        '/bin/sleep',
        '9',
      );
      expect(refused.status).not.toBe(0);
      expect(refused.stderr).toContain(`${box ?? ''}: it is held by container box-ns`);
      await docker.must('rm', '-f', 'c4');
      // Docker's own IPAM knows nothing of us.
      const blind = await host.tsnet(['connect', 'back', 'netns:box-ns']);
      expect(blind.stderr).toContain("Docker's own IPAM gives its addresses");
    } finally {
      await host.mustTsnet(['disconnect', 'web', 'netns:box-ns']);
      await host.must('ip', ['netns', 'delete', 'box-ns']);
    }
  });

  it('keep their traffic while the plugin, and Docker, start anew', async () => {
    await plugin.stop('SIGKILL');
    await answers(outside, '192.168.50.1', 8080, 'c2');
    await plugin.start();
    await start('c5', '--network', 'web');
    await docker.must('exec', 'c5', '/bin/ping', '-c', '1', '-W', '2', 'c2');
    await docker.must('rm', '-f', 'c5');
    // --live-restore: its containers outlive it.
    await docker.stop('SIGKILL');
    await answers(outside, '192.168.50.1', 8080, 'c2');
    await docker.start();
    await answers(outside, '192.168.50.1', 8080, 'c2');
    await docker.must('exec', 'c1', '/bin/ping', '-c', '1', '-W', '2', 'c2');
    await docker.must('restart', '-t', '0', 'c2');
    await answers(outside, '192.168.50.1', 8080, 'c2');
    await docker.must('exec', 'c1', '/bin/ping', '-c', '1', '-W', '2', 'c2');
    await until(async () => (await names()).join() === 'c1,c2,c3');
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
  }, 60_000);

  it('leave nothing when they are removed', async () => {
    await clean();
    expect(await names()).toEqual(['']);
    expect(await networks()).toEqual([]);
    expect(await host.must('sh', ['-c', 'ip -br link show type veth; ip -br link show type bridge'])).not.toMatch(
      /veth|tsif|tsnet|br-/,
    );
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
    expect(await host.mustTsnet(['gc'])).toBe('');
  });

  it('are on the LAN with -o driver=macvlan', async () => {
    await docker.must(
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
    await start('m1', '--network', 'lan', '-p', '9090:80');
    const address = await addressOf('m1', 'lan');
    expect(address).toMatch(/^192\.168\.50\.6\d$/);
    await outside.must('ping', ['-c', '1', '-W', '2', address]);
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
    await docker.must('rm', '-f', 'm1');
    await docker.must('network', 'rm', 'lan');
    expect(await host.must('ip', ['-br', 'link'])).not.toMatch(/tsif/);
  });

  it('have both families', async () => {
    await docker.must('network', 'create', '-d', 'tsnet', '--ipv6', '--ipam-driver', 'tsnet', 'dual');
    await start('v1', '--network', 'dual');
    await serve('v2', '--network', 'dual', '-p', '8086:80');
    const six = await docker.must('inspect', '-f', '{{.NetworkSettings.Networks.dual.GlobalIPv6Address}}', 'v2');
    await docker.must('exec', 'v1', '/bin/ping', '-c', '1', '-W', '2', six);
    const gateway = /default via (fd\S+) dev eth0/.exec(await docker.must('exec', 'v1', '/bin/ip', '-6', 'route'))?.[1];
    await answers(host, gateway ?? '', 8086, 'v2');
    await answers(host, '127.0.0.1', 8086, 'v2');
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
    await clean();
  });

  it('have addresses of tsnet’s on networks of Docker’s own drivers', async () => {
    const subnet = ['--ipam-driver', 'tsnet', '--subnet', '10.76.0.0/29', '--aux-address', 'nas=10.76.0.2'];
    await docker.must('network', 'create', '-d', 'bridge', ...subnet, 'own');
    await start('o1', '--network', 'own');
    expect(await addressOf('o1', 'own')).toBe('10.76.0.3');
    expect((await host.tsnet(['create', '--subnet', '10.76.0.0/24', 'mine'])).stderr).toContain('that Docker made');
    await clean();
    await host.mustTsnet(['create', '--subnet', '10.76.0.0/24', 'mine']);
    await host.mustTsnet(['rm', 'mine']);
  });

  it('cannot reach out of an internal network', async () => {
    await docker.must('network', 'create', '-d', 'tsnet', '--internal', '--ipam-driver', 'tsnet', 'inner');
    await start('i1', '--network', 'inner');
    expect(await docker.must('exec', 'i1', '/bin/ip', 'route')).not.toContain('default');
    expect((await docker.run('exec', 'i1', '/bin/ping', '-c', '1', '-W', '1', '192.168.50.2')).status).toBe(1);
    await clean();
  });

  it('are refused in one line, and nothing is half-made', async () => {
    const create = (...args: readonly string[]) => docker.run('network', 'create', '-d', 'tsnet', ...args);
    const unknownDriver = await create(
      '--ipam-driver',
      'tsnet',
      '-o',
      'driver=nonsense',
      '--subnet',
      '10.72.0.0/24',
      'x',
    );
    expect(unknownDriver.stderr).toContain('tsnet has no driver "nonsense" for Docker');
    const overlay = await create('-o', 'driver=overlay', '--subnet', '10.72.0.0/24', 'x');
    expect(overlay.stderr).toContain('tsnet create -d overlay');
    const unknownOption = await create('-o', 'colour=red', '--subnet', '10.72.0.0/24', 'x');
    expect(unknownOption.stderr).toContain('colour');
    await docker.must('network', 'create', '-d', 'tsnet', '--ipam-driver', 'tsnet', '--subnet', '10.72.0.0/24', 'x');
    const overlap = await create('--ipam-driver', 'tsnet', '--subnet', '10.72.0.0/25', 'y');
    expect(overlap.stderr).toContain('overlaps');
    await serve('p1', '--network', 'x', '-p', '8081:80');
    const port = await docker.run(
      'run',
      '-d',
      '--name',
      'p2',
      '--network',
      'x',
      '-p',
      '8081:80',
      IMAGE,
      '/bin/sleep',
      '9',
    );
    expect(port.stderr).toContain('port 8081 is published by container p1');
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
    await clean();
    expect(await networks()).toEqual([]);
  });

  it('are collected when Docker has forgotten them', async () => {
    await docker.must('network', 'create', '-d', 'tsnet', '--ipam-driver', 'tsnet', '--subnet', '10.73.0.0/24', 'lost');
    await start('f1', '--network', 'lost');
    await until(async () => (await names()).join() === 'f1');
    await plugin.stop();
    await docker.killAndForget();
    await docker.start();
    // Docker has been given time enough to write down what it made.
    await plugin.start(3_600_000);
    await until(async () => (await networks()).length === 0, 15_000);
    expect(await names()).toEqual(['']);
    await docker.must('network', 'create', '-d', 'tsnet', '--ipam-driver', 'tsnet', '--subnet', '10.73.0.0/24', 'lost');
    await docker.must('network', 'rm', 'lost');
  }, 60_000);

  it('are served by the daemon just as well, which mends what others break', async () => {
    await plugin.stop();
    mkdirSync('/run/docker', { recursive: true });
    await host.startDaemon([], docker.env);
    await until(() => host.daemonLog().includes('serving Docker'), 10_000);
    await docker.must('network', 'create', '-d', 'tsnet', '--ipam-driver', 'tsnet', '--subnet', '10.74.0.0/24', 'web');
    await serve('d1', '--network', 'web', '-p', '8084:80');
    await answers(outside, '192.168.50.1', 8084, 'd1');
    await until(async () => (await names()).join() === 'd1');
    const [link = ''] = (await host.must('sh', ['-c', "ip -o link show type veth | grep -o 'veth[0-9a-f]*'"])).split(
      '\n',
    );
    await host.must('ip', ['link', 'set', link, 'down']);
    await until(async () => (await host.must('ip', ['-o', 'link', 'show', link])).includes('state UP'), 10_000);
    await host.stopDaemon();
    await answers(outside, '192.168.50.1', 8084, 'd1');
    await host.startDaemon([], docker.env);
    await until(() => host.daemonLog().includes('serving Docker'), 10_000);
    await clean();
    expect(await names()).toEqual(['']);
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
    await host.stopDaemon();
  }, 60_000);
});
