/** An unmodified podman whose `netavark` is ours, by itself and with a daemon. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Lab, until, type Host } from '../support/lab.ts';
import { FETCH, lastLine, namesPid, openPodman, PODMAN_PROGRAMS, type Podman } from '../support/podman.ts';
import { missingPrograms, skipReason } from '../support/missing-programs.ts';

const missing = missingPrograms([...PODMAN_PROGRAMS, '/usr/lib/podman/aardvark-dns']);
const reason = skipReason(missing);

describe.skipIf(missing.length > 0).each(['embedded', 'daemon'] as const)(`podman on tsnet, %s${reason}`, (mode) => {
  const lab = new Lab();
  let host: Host;
  let podman: Podman;

  /** What is podman's and the same with a daemon. */
  const alone = it.skipIf(mode === 'daemon');

  const ports = (): Promise<string> => host.mustTsnet(['port', '--format', '{{.Network}} {{.Port}} {{.Host}}']);
  const fromHost = async (address: string, port: number): Promise<string> =>
    lastLine((await host.run('sh', ['-c', FETCH, 'sh', address, String(port)])).stdout);

  beforeAll(async () => {
    host = lab.host();
    if (mode === 'daemon') await host.startDaemon();
    podman = await openPodman(host);
    await podman.must('network', 'create', '--ipv6', '--subnet', '10.81.1.0/24', '--subnet', 'fd00:81::/64', 'web');
    // No name of hexadecimal digits: podman takes it for the beginning of a network's id, and these are random.
    await podman.must('network', 'create', '--subnet', '10.81.2.0/24', 'store');
    await podman.must('network', 'create', '--subnet', '10.81.3.0/24', '--internal', 'inner');
  });

  afterAll(async () => {
    await podman.close();
    lab.close();
  });

  it('runs a container with address, MAC, interface and published ports', async () => {
    await podman.start(
      'web1',
      '--network',
      'web:ip=10.81.1.7,ip6=fd00:81::7,mac=02:11:22:33:44:55,interface_name=net7,alias=www',
      '-p',
      '8080:80',
      '-p',
      '127.0.0.1:9000-9002:9100-9102/udp',
    );
    const shown = await podman.exec('web1', '/bin/ip', 'addr', 'show', 'net7');
    expect(shown).toContain('inet 10.81.1.7/24');
    expect(shown).toContain('inet6 fd00:81::7/64');
    expect(shown).toContain('02:11:22:33:44:55');
    await podman.serve('web1');
    expect(await fromHost('127.0.0.1', 8080)).toBe('web1');
    expect(await fromHost('10.81.1.1', 8080)).toBe('web1');
    expect(await fromHost('fd00:81::1', 8080)).toBe('web1');
    expect((await ports()).split('\n').toSorted()).toEqual([
      'podman-web 80/tcp 0.0.0.0:8080',
      'podman-web 80/tcp [::]:8080',
      'podman-web 9100-9102/udp 127.0.0.1:9000-9002',
    ]);
  });

  alone('shows podman what it asked for and got', async () => {
    const shown = await podman.must('inspect', 'web1', '--format', '{{json .NetworkSettings.Networks.web}}');
    expect(JSON.parse(shown)).toMatchObject({
      IPAddress: '10.81.1.7',
      IPPrefixLen: 24,
      Gateway: '10.81.1.1',
      GlobalIPv6Address: 'fd00:81::7',
      IPv6Gateway: 'fd00:81::1',
      MacAddress: '02:11:22:33:44:55',
    });
    expect(await host.mustTsnet(['ps', '--format', '{{.Name}} {{.Command}} {{.Networks}}'])).toMatch(
      /^web1 "podman:[0-9a-f]{12}" podman-web$/,
    );
  });

  it('lets containers find each other by name and alias', async () => {
    await podman.start('web2', '--network', 'web');
    for (const name of ['web1', 'www', 'web1.dns.podman']) expect(await podman.page('web2', name)).toBe('web1');
    const nameservers = await podman.exec('web2', '/bin/cat', '/etc/resolv.conf');
    expect(nameservers).toContain('search dns.podman');
    expect(nameservers.includes('nameserver 127.0.0.11')).toBe(mode === 'daemon');
    expect(namesPid() !== undefined).toBe(mode === 'embedded');
  });

  it('joins several networks, one of them internal, and isolates those beside it', async () => {
    await podman.start('db1', '--network', 'store', '--network', 'inner', '-p', '8081:80');
    await podman.start('alone', '--network', 'inner');
    await podman.serve('db1');
    expect(await fromHost('127.0.0.1', 8081)).toBe('db1');
    expect(await podman.exec('db1', '/bin/ip', 'route')).toContain('default via 10.81.2.1');
    expect(await podman.page('alone', 'db1')).toBe('db1');
    expect(await podman.exec('alone', '/bin/ip', 'route')).not.toContain('default');
    // Another network: neither its containers nor, from an internal one, anybody.
    expect(await podman.page('web2', '10.81.2.2')).toBe('');
  });

  it('connects a running container, whose ports are published once and follow it', async () => {
    await podman.must('network', 'connect', '--alias', 'frontend', 'store', 'web1');
    expect(await podman.page('db1', 'frontend')).toBe('web1');
    expect(await ports()).toContain('podman-web 80/tcp 0.0.0.0:8080');
    expect(await ports()).not.toContain('podman-store 80/tcp 0.0.0.0:8080');

    await podman.must('network', 'disconnect', 'web', 'web1');
    expect(await ports()).toContain('podman-store 80/tcp 0.0.0.0:8080');
    expect(await fromHost('127.0.0.1', 8080)).toBe('web1');
    expect(await podman.page('db1', 'web1')).toBe('web1');
    // web2 is still on it.
    expect(await host.mustTsnet(['ls', '-q', '--filter', 'name=^podman-web$'])).not.toBe('');
  });

  it('reloads: everything is as before, whatever was broken', async () => {
    const [before] = JSON.parse(await podman.must('inspect', 'db1')) as [{ NetworkSettings: unknown }];
    await host.must('sh', ['-c', 'nft flush ruleset']);
    await podman.must('network', 'reload', 'db1');
    const [after] = JSON.parse(await podman.must('inspect', 'db1')) as [{ NetworkSettings: unknown }];
    expect(after.NetworkSettings).toEqual(before.NetworkSettings);
    expect(await fromHost('127.0.0.1', 8081)).toBe('db1');
    expect(await podman.page('alone', 'db1')).toBe('db1');
  });

  it('starts again what was stopped, and cleans up when all are gone', async () => {
    await podman.must('stop', 'web2');
    await podman.must('start', 'web2');
    await podman.must('rm', '-f', '-t', '0', 'web1', 'web2', 'db1', 'alone');
    // `rm` does not wait for the clean-up that podman does when it sees a container end.
    await until(async () => (await host.mustTsnet(['ps', '-q'])) === '');
    await until(async () => (await host.mustTsnet(['ls', '--format', '{{.Name}}'])) === 'bridge\nhost\nnone');
    expect(await host.must('ip', ['-o', 'link'])).not.toMatch(/podman|veth/);
    expect((await host.tsnet(['diff'])).stdout).toBe('');
    await until(() => namesPid() === undefined);
    // It has lived through all of this.
    if (mode === 'daemon') expect(await host.stopDaemon()).toBe(0);
  });

  alone('says why in podman’s words, and leaves nothing', async () => {
    // Before the other: podman refuses a subnet that it sees on the host.
    await podman.must('network', 'create', '--subnet', '10.81.4.0/25', 'clash');
    await host.mustTsnet(['create', '--subnet', '10.81.4.0/24', 'mine']);
    const refused = await podman.run([
      'run',
      '--rm',
      '--network',
      'web',
      '--network',
      'clash',
      'tsnet-test',
      '/bin/ip',
      'a',
    ]);
    expect(refused.status).toBe(126);
    expect(refused.stderr).toMatch(/^Error: netavark: create network podman-clash: .*mine/m);
    expect(await host.mustTsnet(['ps', '-q'])).toBe('');
    expect(await host.mustTsnet(['ls', '--format', '{{.Name}}'])).toBe('bridge\nhost\nmine\nnone');
  });

  alone('joins a network of tsnet that a label names', async () => {
    await podman.must('network', 'create', '--subnet', '10.81.5.0/24', '--label', 'tsnet.network=shared', 'joined');
    await host.mustTsnet(['create', '--subnet', '10.81.5.0/24', 'shared']);
    await podman.start('guest', '--network', 'joined:ip=10.81.5.77');
    await podman.serve('guest');
    const run = await host.mustTsnet(['run', '--network', 'shared', 'sh', '-c', FETCH, 'sh', '10.81.5.77', '80']);
    expect(lastLine(run)).toBe('guest');
    await podman.must('rm', '-f', '-t', '0', 'guest');
    expect(await host.mustTsnet(['ls', '-q', '--filter', 'name=shared'])).not.toBe('');
  });
});
