/** A container of a real dockerd, with published ports. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Skipped } from '../group.ts';
import { requireInstalled } from '../installed.ts';
import { startDockerd } from '../peers/dockerd.ts';

/** Ports as `docker run -p` takes them; dockerd writes some forty a second. Path of the container's namespace. */
export async function dockerContainer(dir: string, ports: readonly string[]): Promise<string> {
  const host = `unix://${await startDockerd(dir)}`;
  const docker = async (...args: readonly string[]): Promise<string> =>
    (await promisify(execFile)('docker', ['--host', host, ...args])).stdout.trim();
  const published = ports.flatMap((port) => ['-p', port]);
  const id = await docker('run', '-d', ...published, '--network', 'web', 'bench', '/bin/sleep', '1000');
  return docker('inspect', '-f', '{{.NetworkSettings.SandboxKey}}', id);
}

/** Why there can be none; undefined where there can. */
export function missingDocker(): string | undefined {
  try {
    requireInstalled('docker.io', 'dockerd', 'docker', 'containerd', 'runc', 'busybox');
    return undefined;
  } catch (error) {
    if (error instanceof Skipped) return error.message;
    throw error;
  }
}
