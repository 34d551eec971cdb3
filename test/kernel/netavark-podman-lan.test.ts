/** An unmodified podman whose `netavark` is ours, with containers on the LAN of its host. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Lab, until, type Host } from '../support/lab.ts';
import { makeLan, reaches, type Lan } from '../support/lan.ts';
import { missingPrograms, skipReason } from '../support/missing-programs.ts';
import { openPodman, PODMAN_PROGRAMS, type Podman } from '../support/podman.ts';

const missing = missingPrograms(PODMAN_PROGRAMS);

describe.skipIf(missing.length > 0)(`podman's containers on a LAN${skipReason(missing)}`, () => {
  const lab = new Lab();
  let lan: Lan;
  let host: Host;
  let neighbour: Host;
  let podman: Podman;

  const remove = async (...names: readonly string[]): Promise<void> => {
    await podman.must('rm', '-f', '-t', '0', ...names);
    await until(async () => (await host.mustTsnet(['ps', '-q'])) === '');
  };

  beforeAll(async () => {
    lan = await makeLan(lab, 2);
    [host, neighbour] = lan.hosts as [Host, Host];
    await host.must('ip', ['route', 'add', 'default', 'via', '192.168.22.1']);
    podman = await openPodman(host);
  });
  afterAll(async () => {
    await podman.close();
    lab.close();
  });

  it('by macvlan are machines of it, with a MAC and an address of their own', async () => {
    const addresses = ['--subnet', '192.168.22.0/24', '--gateway', '192.168.22.1', '--ip-range', '192.168.22.64/27'];
    await podman.must('network', 'create', '-d', 'macvlan', '-o', 'parent=eth0', ...addresses, 'lan');
    await podman.start('cam', '--network', 'lan', '--mac-address', '02:11:22:33:44:66');
    await podman.start('nas', '--network', 'lan:ip=192.168.22.70', '-p', '8080:80');
    const shown = await podman.exec('cam', '/bin/ip', 'addr', 'show', 'eth0');
    expect(shown).toContain('02:11:22:33:44:66');
    const address = /inet (192\.168\.22\.(?:6[4-9]|[78]\d|9[0-5]))\/24/.exec(shown)?.[1] ?? '';
    for (const from of [lan.router, neighbour]) {
      expect(await reaches(from, address)).toBe(true);
      expect(await reaches(from, '192.168.22.70')).toBe(true);
    }
    expect(await podman.exec('cam', '/bin/ip', 'route')).toContain('default via 192.168.22.1');
    await podman.serve('nas');
    expect(await podman.page('cam', '192.168.22.70')).toBe('nas');
    // It has an address of its own: nothing is published, as with stock netavark.
    expect(await host.mustTsnet(['port', '--format', '{{.Host}}'])).not.toContain('8080');
    expect(await host.mustTsnet(['ps', '--format', '{{.Name}} {{.Networks}}'])).toMatch(/^cam podman-lan$/m);
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
    await remove('cam', 'nas');
    expect(await host.must('ip', ['-o', 'link'])).not.toContain('macvlan');
  });

  it('keep to themselves in mode private', async () => {
    const addresses = ['--subnet', '192.168.22.0/24', '--gateway', '192.168.22.1'];
    await podman.must(
      'network',
      'create',
      '-d',
      'macvlan',
      '-o',
      'parent=eth0',
      '-o',
      'mode=private',
      ...addresses,
      'apart',
    );
    await podman.start('p1', '--network', 'apart:ip=192.168.22.80');
    await podman.start('p2', '--network', 'apart:ip=192.168.22.81');
    expect(await reaches(neighbour, '192.168.22.81')).toBe(true);
    expect((await podman.run(['exec', 'p1', '/bin/ping', '-c', '1', '-W', '1', '192.168.22.81'])).status).toBe(1);
    await remove('p1', 'p2');
  });

  it('are not made where the parent is missing', async () => {
    await podman.must(
      'network',
      'create',
      '-d',
      'macvlan',
      '-o',
      'parent=eth0',
      '--subnet',
      '192.168.22.0/24',
      'nowhere',
    );
    await host.must('ip', ['link', 'set', 'eth0', 'down', 'name', 'eth9']);
    const refused = await podman.run(['run', '--rm', '--network', 'nowhere', 'tsnet-test', '/bin/ip', 'a']);
    expect(refused).toMatchObject({ status: 126 });
    expect(refused.stderr).toMatch(/^Error: netavark: .*eth0/m);
    expect(await host.mustTsnet(['ps', '-q'])).toBe('');
    expect(await host.mustTsnet(['ls', '--format', '{{.Name}}'])).toBe('bridge\nhost\nnone');
  });
});
