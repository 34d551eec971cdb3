/**
 * dockerd 20.10 on both hosts, with its overlay over etcd: the engine's own key-value era, which its releases from 23.0 on no longer
 * have. It speaks version 2 of etcd's API, which etcd 3.4 has behind a switch. Each has a hostname of its own (its gossip refuses two of
 * one name) and a /run of its own.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { outputWith } from '../run-with.ts';
import { openDockerApi, type DockerApi } from '../peers/docker-api.ts';
import { ETCD_ADDRESS, eventually, HOSTS, startOn, type Host } from './hosts.ts';

export const NETWORK = 'ov';
const IMAGE = 'bench';
/** Until dockerd has a `/run`: it ends with our pid namespace. */
const IN_ITS_OWN = 'hostname "$0" && mount -t tmpfs tmpfs /run && exec "$@"';

export interface DockerHost {
  readonly api: DockerApi;
  /** Runs the command line, which must succeed. */
  readonly docker: (...args: readonly string[]) => Promise<string>;
  /** Path of a container's namespace. */
  readonly netns: (container: string) => Promise<string>;
}

/** Both, with the image {@link IMAGE} of one program that sleeps. */
export async function startDockerHosts(dir: string): Promise<readonly [DockerHost, DockerHost]> {
  const image = imageIn(dir);
  const [here, there] = HOSTS;
  return Promise.all([startDocker(here, dir, image), startDocker(there, dir, image)]);
}

function imageIn(dir: string): string {
  const root = path.join(dir, 'image');
  mkdirSync(path.join(root, 'bin'), { recursive: true });
  execFileSync('sh', ['-c', 'cp "$(command -v busybox)" "$1/bin/sleep"', 'sh', root]);
  execFileSync('tar', ['-C', root, '-cf', `${root}.tar`, '.']);
  return `${root}.tar`;
}

async function startDocker(host: Host, dir: string, image: string): Promise<DockerHost> {
  const own = path.join(dir, `docker-${host.name}`);
  mkdirSync(own, { recursive: true });
  const socket = path.join(own, 'docker.sock');
  const daemon = startOn(host, [
    ...(['unshare', '--mount', '--uts', '--propagation', 'private', 'sh', '-c', IN_ITS_OWN, host.name] as const),
    ...['dockerd', '--bridge=none', '--userland-proxy=false', '--storage-driver=vfs', '--host', `unix://${socket}`],
    ...['--data-root', path.join(own, 'lib'), '--exec-root', '/run/docker', '--pidfile', '/run/docker.pid'],
    ...['--cluster-store', `etcd://${ETCD_ADDRESS}:2379`, '--cluster-advertise', 'up0:2376'],
  ]);
  const docker = (...args: readonly string[]): Promise<string> =>
    outputWith('', ['docker', '--host', `unix://${socket}`, ...args]).then((text) => text.trim());
  await eventually(`dockerd on ${host.name}`, async () => {
    if (daemon.process.exitCode !== null)
      throw new Error(`dockerd on ${host.name}: ${daemon.heard().split('\n').slice(-10).join('\n')}`);
    return docker('version').then(
      () => true,
      () => undefined,
    );
  });
  await docker('import', image, IMAGE);
  return {
    api: openDockerApi(socket),
    docker,
    netns: async (container) => `/proc/${await docker('inspect', '-f', '{{.State.Pid}}', container)}/ns/net`,
  };
}

/** Starts a container that sleeps on a network. */
export async function runSleeper(host: DockerHost, name: string, network: string, ...more: readonly string[]) {
  await host.docker('run', '-d', '--name', name, '--network', network, ...more, IMAGE, '/bin/sleep', '1000');
}
