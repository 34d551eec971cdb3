/**
 * dockerd's own network code through its API, beside the engine in this process: neither starts a process of its own for a
 * change. dockerd runs without its userland proxy, which would be one more process a port.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Group, Row } from '../group.ts';
import { inTurn, thereAndBack, timed } from '../in-turn.ts';
import { requireInstalled } from '../installed.ts';
import { openHost, type Backend } from '../tsnet-host.ts';
import { openDockerApi } from './docker-api.ts';

const RUNS = 15;
const START_SECONDS = 30;
const IMAGE = 'bench';
const NETWORK = 'web';

/** A running dockerd with a container that publishes a port on `NETWORK`; its socket. It ends with our pid namespace. */
export async function startDockerd(dir: string): Promise<string> {
  const socket = path.join(dir, 'docker.sock');
  const daemon = spawn(
    'dockerd',
    [
      ...['--bridge=none', '--userland-proxy=false', '--storage-driver=vfs', '--host', `unix://${socket}`],
      ...['--data-root', path.join(dir, 'docker'), '--exec-root', '/run/docker', '--pidfile', '/run/docker.pid'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const docker = async (...args: readonly string[]): Promise<string> =>
    (await promisify(execFile)('docker', ['--host', `unix://${socket}`, ...args])).stdout.trim();
  const end = performance.now() + START_SECONDS * 1000;
  for (;;) {
    try {
      await docker('version');
      break;
    } catch (cause) {
      if (daemon.exitCode !== null || performance.now() > end) {
        throw new Error(`dockerd did not come up:\n${log.split('\n').slice(-10).join('\n')}`, { cause });
      }
      await setTimeout(50);
    }
  }
  const root = path.join(dir, 'image');
  mkdirSync(path.join(root, 'bin'), { recursive: true });
  execFileSync('sh', ['-c', 'cp "$(command -v busybox)" "$1/bin/sleep"', 'sh', root]);
  execFileSync('tar', ['-C', root, '-cf', `${root}.tar`, '.']);
  await docker('import', `${root}.tar`, IMAGE);
  await docker('network', 'create', '--subnet', '10.11.0.0/16', NETWORK);
  for (const [name, port] of [
    ['stays', '9080:80'],
    ['moves', '9081:80'],
  ] as const) {
    await docker('run', '-d', '--name', name, '--network', NETWORK, '-p', port, IMAGE, '/bin/sleep', '1000');
  }
  return socket;
}

async function measure(dir: string, backend: Backend): Promise<Row[]> {
  requireInstalled('docker.io', 'dockerd', 'docker', 'containerd', 'runc', 'busybox');
  const { engine, container } = await openHost(dir, backend);
  const api = openDockerApi(await startDockerd(dir));
  await engine.createNetwork({ name: NETWORK, ipam: [{ subnet: '10.10.0.0/16' }] });
  await engine.connect({ network: NETWORK, container: container('stays').path, ports: ['8081:80'] });
  const target = { network: NETWORK, container: container('moves').path };
  const theirs = (verb: string): Promise<unknown> => api.post(`/networks/${NETWORK}/${verb}`, { Container: 'moves' });
  await theirs('disconnect');

  const { there: attach, back: detach } = await thereAndBack(
    { runs: RUNS },
    { there: () => engine.connect({ ...target, ports: ['8080:80'] }), back: () => engine.disconnect(target) },
    { there: () => theirs('connect'), back: () => theirs('disconnect') },
  );
  const create = await inTurn(
    { runs: RUNS },
    async () => {
      const took = await timed(() => engine.createNetwork({ name: 'new', ipam: [{ subnet: '10.20.0.0/16' }] }));
      await engine.removeNetwork({ network: 'new' });
      return took;
    },
    async () => {
      const config = { Name: 'new', CheckDuplicate: true, IPAM: { Config: [{ Subnet: '10.21.0.0/16' }] } };
      const took = await timed(() => api.post('/networks/create', config));
      await api.delete('/networks/new');
      return took;
    },
  );
  api.close();
  const peerName = "dockerd's API (tsnet in process)";
  return [
    { name: 'attach with 1 port', ...attach, peerName, unit: 'ms' },
    { name: 'detach with 1 port', ...detach, peerName, unit: 'ms' },
    { name: 'create a network', ...create, peerName, unit: 'ms' },
  ];
}

export const dockerd = (backend: Backend): Group => ({
  name: `dockerd/${backend}`,
  measure: (dir) => measure(dir, backend),
});
