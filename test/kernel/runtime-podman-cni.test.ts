/** Podman with `network_backend = "cni"` and our plugin in its networks. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leftovers, NOTHING, pluginFolder } from '../support/cni-stage.ts';
import { Lab, must, until, type Host } from '../support/lab.ts';
import { missingPrograms, skipReason } from '../support/missing-programs.ts';

const missing = missingPrograms(['podman', 'conmon', 'runc', 'busybox']);
const reason = skipReason(missing);

const NETWORK = {
  cniVersion: '0.4.0',
  name: 'shop',
  plugins: [
    {
      type: 'tsnet',
      bridge: 'cni0',
      subnet: '10.22.0.0/16',
      capabilities: { portMappings: true, ips: true, mac: true, aliases: true },
    },
  ],
};

describe.skipIf(missing.length > 0)(`containers of Podman by CNI${reason}`, () => {
  const lab = new Lab();
  let host: Host;
  let env: Readonly<Record<string, string>>;
  const podman = (...args: readonly string[]): Promise<string> => host.must('podman', args, { env });

  beforeAll(async () => {
    host = lab.host();
    const dir = path.join(host.dir, 'podman');
    const plugins = await pluginFolder(host);
    mkdirSync(path.join(dir, 'net.d'), { recursive: true });
    writeFileSync(path.join(dir, 'net.d/shop.conflist'), JSON.stringify(NETWORK));
    const [storage, containers] = [path.join(dir, 'storage.conf'), path.join(dir, 'containers.conf')];
    writeFileSync(storage, `[storage]\ndriver = "vfs"\ngraphroot = "${dir}/lib"\nrunroot = "${dir}/run"\n`);
    writeFileSync(
      containers,
      `[containers]
default_ulimits = ["nofile=256:256", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "${dir}/tmp"
[network]
network_backend = "cni"
cni_plugin_dirs = ["${plugins}"]
network_config_dir = "${dir}/net.d"
default_network = "shop"
`,
    );
    env = { ...host.env, CONTAINERS_STORAGE_CONF: storage, CONTAINERS_CONF: containers };
    const root = path.join(dir, 'root');
    mkdirSync(path.join(root, 'bin'), { recursive: true });
    execFileSync('sh', ['-c', 'cp "$(command -v busybox)" "$1/bin/busybox"', 'sh', root]);
    for (const applet of ['sh', 'ip', 'sleep', 'ping']) symlinkSync('busybox', path.join(root, 'bin', applet));
    await must('tar', ['-C', root, '-cf', path.join(dir, 'image.tar'), '.']);
    await podman('import', path.join(dir, 'image.tar'), 'box');
  }, 90_000);

  afterAll(async () => {
    await host.run('podman', ['rm', '-f', '-t', '0', '--all'], { env });
    lab.close();
  });

  const start = (name: string, ...options: readonly string[]): Promise<string> =>
    podman('run', '-d', '--name', name, '--stop-timeout', '0', ...options, 'box', '/bin/sleep', '1000');

  /** Podman's process that cleans up behind a container may outlive the command. */
  const removed = async (...names: readonly string[]): Promise<void> => {
    await podman('rm', '-f', '-t', '0', ...names);
    await until(async () => (await host.mustTsnet(['ps', '-q'])) === '', 15_000);
  };

  test('get the address and the ports that they ask for, and leave nothing', async () => {
    await start('web', '-p', '8080:80', '--ip', '10.22.0.9', '--mac-address', '02:00:00:00:00:09');
    expect(await podman('inspect', '-f', '{{(index .NetworkSettings.Networks "shop").IPAddress}}', 'web')).toBe(
      '10.22.0.9',
    );
    expect(await podman('exec', 'web', '/bin/ip', 'addr', 'show', 'eth0')).toMatch(
      /02:00:00:00:00:09[\s\S]*10\.22\.0\.9\/16/,
    );
    await podman('exec', 'web', '/bin/ping', '-c', '1', '-W', '2', '10.22.0.1');
    expect(await host.mustTsnet(['ps', '--format', '{{.Networks}} {{.Ports}}'])).toBe('shop 0.0.0.0:8080->80/tcp');
    await start('db');
    await podman('exec', 'db', '/bin/ping', '-c', '1', '-W', '2', '10.22.0.9');
    // The same container with its rules taken and given: none twice.
    await podman('network', 'reload', 'web');
    const rules = (await host.must('iptables-save', ['-t', 'nat'])).split('\n').filter((rule) => rule.includes('8080'));
    expect(rules).toHaveLength(new Set(rules).size);
    await podman('restart', '-t', '0', 'web');
    await podman('exec', 'web', '/bin/ping', '-c', '1', '-W', '2', '10.22.0.1');
    await removed('web', 'db');
    expect(await leftovers(host)).toEqual(NOTHING);
  }, 120_000);

  test('with a daemon, which leaves their ports for Podman to bind', async () => {
    await host.startDaemon();
    await start('web', '-p', '8080:80');
    expect(await host.mustTsnet(['ps', '--format', '{{.Name}} {{.Ports}}'])).toBe('web 0.0.0.0:8080->80/tcp');
    await removed('web');
    expect(await leftovers(host)).toEqual(NOTHING);
    await host.stopDaemon();
  }, 60_000);
});
