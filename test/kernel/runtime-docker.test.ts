/** A dockerd of our own: no iptables, no bridge, its state in the test's folder. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { until } from '../support/lab.ts';
import { describeRuntime } from '../support/runtime-suite.ts';

let daemon: ChildProcess | undefined;

describeRuntime({
  name: 'docker',
  needs: ['dockerd', 'docker', 'containerd', 'runc'],
  start: async (host) => {
    const dir = path.join(host.dir, 'docker');
    const socket = `unix://${dir}/docker.sock`;
    daemon = host.start('dockerd', [
      ...['--iptables=false', '--ip6tables=false', '--bridge=none', '--storage-driver=vfs', '--host', socket],
      ...[
        '--data-root',
        path.join(dir, 'lib'),
        '--exec-root',
        path.join(dir, 'run'),
        '--pidfile',
        path.join(dir, 'pid'),
      ],
    ]);
    let log = '';
    daemon.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const env = { DOCKER_HOST: socket };
    await until(async () => {
      if (daemon?.exitCode !== null) throw new Error(`dockerd ended:\n${log}`);
      return (await host.run('docker', ['version'], { env })).status === 0;
    }, 30_000);
    return env;
  },
  stop: async () => {
    if (daemon?.exitCode !== null) return;
    const ended = once(daemon, 'exit');
    daemon.kill('SIGTERM');
    await ended;
  },
});
