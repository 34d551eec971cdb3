/** A real containerd whose pods and containers are on tsnet: Kubernetes' interface (CRI), and `ctr run --cni`. */
import { execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leftovers, mustCni, NOTHING, pluginFolder } from '../support/cni-stage.ts';
import { openCri, type Cri } from '../support/cri-client.ts';
import { Lab, must, until, type Host } from '../support/lab.ts';
import { missingPrograms, skipReason } from '../support/missing-programs.ts';

const missing = missingPrograms(['containerd', 'ctr', 'runc', 'busybox']);
const reason = skipReason(missing);

const PODS = {
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      type: 'tsnet',
      bridge: 'cni0',
      subnet: '10.22.0.0/16',
      capabilities: { portMappings: true, bandwidth: true, dns: true },
    },
  ],
};

describe.skipIf(missing.length > 0)(`pods of a real containerd${reason}`, () => {
  const lab = new Lab();
  let host: Host;
  let dir: string;
  let containerd: ChildProcess;
  let cri: Cri;

  beforeAll(async () => {
    host = lab.host();
    dir = path.join(host.dir, 'ctd');
    const plugins = await pluginFolder(host);
    mkdirSync(path.join(dir, 'net.d'), { recursive: true });
    writeFileSync(path.join(dir, 'net.d/10-pods.conflist'), JSON.stringify(PODS));
    writeFileSync(path.join(dir, 'config.toml'), configOf(dir, plugins));
    containerd = host.start('containerd', ['--config', path.join(dir, 'config.toml')], { env: host.env });
    let log = '';
    containerd.stderr?.on('data', (part: Buffer) => (log += part.toString()));
    const socket = path.join(dir, 'c.sock');
    await until(async () => {
      if (containerd.exitCode !== null) throw new Error(`containerd ended:\n${log}`);
      return (await host.run('ctr', ['-a', socket, 'version'])).status === 0;
    }, 30_000);
    await importPause(host, socket);
    cri = openCri(socket);
    await until(async () => (await cri.conditions())['NetworkReady'] === true, 15_000);
    // Fixed folders of `ctr run --cni`: others are there for the tests' own mount namespace.
    execFileSync('mount', ['--bind', plugins, '/usr/lib/cni']);
    execFileSync('mount', ['--bind', path.join(dir, 'net.d'), '/etc/cni/net.d']);
  }, 90_000);

  afterAll(async () => {
    for (const place of ['/usr/lib/cni', '/etc/cni/net.d']) execFileSync('umount', [place]);
    cri.close();
    const ended = once(containerd, 'exit');
    containerd.kill('SIGTERM');
    await ended;
    lab.close();
  });

  const pod = (name: string, hostPort: number): Parameters<Cri['runPod']>[0] => ({
    name,
    namespace: 'shop',
    logs: path.join(dir, 'logs'),
    servers: ['10.96.0.10'],
    searches: ['shop.svc.cluster.local'],
    ports: [{ hostPort, containerPort: 80 }],
  });

  test('a pod gets an address and its port, and is known by its name; Stop twice and Remove leave nothing', async () => {
    const id = await cri.runPod(pod('web-0', 8080));
    const address = await cri.podAddress(id);
    expect(address).toMatch(/^10\.22\./);
    expect(await host.mustTsnet(['ps', '--format', '{{.Name}} {{.Networks}} {{.Ports}}'])).toBe(
      'web-0.shop pods 0.0.0.0:8080->80/tcp',
    );
    await host.must('ping', ['-c', '1', '-W', '2', address]);
    expect(await host.must('iptables-save', ['-t', 'nat'])).toContain(
      `--dport 8080 -j DNAT --to-destination ${address}:80`,
    );
    // A second one beside it.
    const other = await cri.runPod(pod('web-1', 8081));
    await host.must('ping', ['-c', '1', '-W', '2', await cri.podAddress(other)]);
    for (const each of [id, other]) {
      await cri.stopPod(each);
      await cri.stopPod(each);
      await cri.removePod(each);
    }
    expect(await leftovers(host)).toEqual(NOTHING);
  }, 90_000);

  test('a pod whose port is taken does not start, and leaves nothing', async () => {
    const id = await cri.runPod(pod('first', 8080));
    await expect(cri.runPod(pod('second', 8080))).rejects.toThrow(/8080/);
    expect(await host.mustTsnet(['ps', '--format', '{{.Name}}'])).toBe('first.shop');
    await cri.stopPod(id);
    await cri.removePod(id);
    expect(await leftovers(host)).toEqual(NOTHING);
  }, 90_000);

  test('ctr run --cni; what it forgets when its container dies, GC collects', async () => {
    const ctr = (...args: readonly string[]): Promise<string> =>
      host.must('ctr', ['-a', path.join(dir, 'c.sock'), ...args], { env: host.env });
    const root = rootfs(path.join(dir, 'root'));
    const shown = await ctr('run', '--rm', '--cni', '--rootfs', root, 'once', '/bin/ip', '-4', 'addr', 'show', 'eth0');
    expect(shown).toMatch(/inet 10\.22\./);
    await ctr('run', '-d', '--cni', '--rootfs', root, 'stays', '/bin/sleep', '1000');
    expect(await host.mustTsnet(['ps', '--format', '{{.Name}}'])).toContain('default-stays');
    await ctr('task', 'kill', '-s', 'KILL', 'stays');
    await until(async () => (await ctr('task', 'ls')).includes('STOPPED'));
    await ctr('task', 'delete', 'stays');
    await ctr('container', 'delete', 'stays');
    await until(async () => {
      const config = { ...PODS.plugins[0], cniVersion: '1.1.0', name: 'pods' };
      await mustCni(host, 'GC', { config, id: '', interfaceName: '' });
      return (await host.mustTsnet(['ps', '-q'])) === '';
    });
    expect(await leftovers(host)).toEqual(NOTHING);
  }, 90_000);
});

function configOf(dir: string, plugins: string): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = "${dir}/lib"
state = "${dir}/run"
[grpc]
address = "${dir}/c.sock"
[${cri}]
sandbox_image = "localhost/pause:latest"
restrict_oom_score_adj = true
disable_apparmor = true
[${cri}.cni]
bin_dir = "${plugins}"
conf_dir = "${dir}/net.d"
[${cri}.containerd]
snapshotter = "native"
default_runtime_name = "runc"
[${cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.internal.v1.opt"]
path = "${dir}/opt"
`;
}

/** A folder with busybox in it. */
function rootfs(root: string): string {
  mkdirSync(path.join(root, 'bin'), { recursive: true });
  execFileSync('sh', ['-c', 'cp "$(command -v busybox)" "$1/bin/busybox"', 'sh', root]);
  for (const applet of ['sh', 'ip', 'sleep', 'ping']) symlinkSync('busybox', path.join(root, 'bin', applet));
  return root;
}

/** An image that holds a pod's namespaces: busybox, asleep. */
async function importPause(host: Host, socket: string): Promise<void> {
  const dir = path.join(host.dir, 'pause');
  const root = rootfs(path.join(dir, 'root'));
  await must('tar', ['-C', root, '-cf', path.join(dir, 'layer.tar'), '.']);
  const digest = (await must('sha256sum', [path.join(dir, 'layer.tar')])).split(' ')[0] ?? '';
  const config = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Entrypoint: ['/bin/sleep', '100000'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
  };
  writeFileSync(path.join(dir, 'config.json'), JSON.stringify(config));
  const manifest = [{ Config: 'config.json', RepoTags: ['localhost/pause:latest'], Layers: ['layer.tar'] }];
  writeFileSync(path.join(dir, 'manifest.json'), JSON.stringify(manifest));
  await must('tar', ['-C', dir, '-cf', path.join(dir, 'image.tar'), 'manifest.json', 'config.json', 'layer.tar']);
  await host.must('ctr', [
    '-a',
    socket,
    '-n',
    'k8s.io',
    'images',
    'import',
    '--snapshotter',
    'native',
    path.join(dir, 'image.tar'),
  ]);
}
