/** A dockerd of a test's own inside a host's network namespace: no iptables, no bridge, its state in the host's folder. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { must, until, type Host, type Outcome } from './lab.ts';

/** What its programs must be called with to be there. */
export const DOCKER_NEEDS = ['dockerd', 'docker', 'containerd', 'runc', 'busybox'];

export const IMAGE = 'tsnet-test';
const APPLETS = ['sh', 'ip', 'ping', 'sleep', 'httpd', 'nc', 'cat', 'mkdir', 'nslookup'];

export class DockerEngine {
  readonly env: Readonly<Record<string, string>>;
  readonly dir: string;
  /** Path of its API's socket. */
  readonly socket: string;
  readonly #host: Host;
  readonly #arguments: readonly string[];
  #process: ChildProcess | undefined;
  #log = '';

  constructor(host: Host, more: readonly string[] = []) {
    this.#host = host;
    this.dir = path.join(host.dir, 'docker');
    this.socket = `${this.dir}/docker.sock`;
    this.env = { DOCKER_HOST: `unix://${this.socket}` };
    this.#arguments = [
      ...[
        '--iptables=false',
        '--ip6tables=false',
        '--bridge=none',
        '--storage-driver=vfs',
        '--host',
        `unix://${this.socket}`,
      ],
      ...['--data-root', path.join(this.dir, 'lib'), '--exec-root', path.join(this.dir, 'run')],
      ...['--pidfile', path.join(this.dir, 'pid'), ...more],
    ];
  }

  async start(): Promise<void> {
    this.#log = '';
    const daemon = this.#host.start('dockerd', this.#arguments);
    daemon.stderr?.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
    this.#process = daemon;
    await until(async () => {
      if (daemon.exitCode !== null) throw new Error(`dockerd ended:\n${this.#log}`);
      return (await this.run('version')).status === 0;
    }, 30_000);
  }

  log(): string {
    return this.#log;
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const daemon = this.#process;
    this.#process = undefined;
    if (daemon?.exitCode !== null || daemon.signalCode !== null) return;
    const ended = once(daemon, 'exit');
    // What nsenter started has its process id.
    daemon.kill(signal);
    await ended;
    if (signal === 'SIGTERM') return;
    // Its containerd dies with it, and where nobody reaps it a new dockerd would wait for it.
    const file = path.join(this.dir, 'run/containerd/containerd.pid');
    if (existsSync(file)) kill(Number(readFileSync(file, 'utf8')));
    rmSync(file, { force: true });
  }

  /** Kills it with all its containers, and deletes what it knew of them and of networks. */
  async killAndForget(): Promise<void> {
    await this.stop('SIGKILL');
    this.endLeftovers();
    for (const gone of ['lib/network', 'lib/containers', 'run/containerd', 'pid'])
      rmSync(path.join(this.dir, gone), { recursive: true, force: true });
  }

  /** Kills what outlives dockerd: containerd, the shims of containers, and the containers. */
  endLeftovers(): void {
    const ours = processes().filter(({ command }) => command.includes(`${this.dir}/run/containerd`));
    const shims = new Set(ours.map(({ pid }) => pid));
    const containers = processes().filter(({ parent }) => shims.has(parent));
    for (const { pid } of [...containers, ...ours]) kill(pid);
  }

  run(...args: readonly string[]): Promise<Outcome> {
    return this.#host.run('docker', args, { env: this.env });
  }

  must(...args: readonly string[]): Promise<string> {
    return this.#host.must('docker', args, { env: this.env });
  }

  /** An image of busybox, by the name {@link IMAGE}. */
  async importImage(): Promise<void> {
    const root = path.join(this.#host.dir, 'image');
    mkdirSync(path.join(root, 'bin'), { recursive: true });
    await must('cp', [await must('sh', ['-c', 'command -v busybox']), path.join(root, 'bin/busybox')]);
    for (const applet of APPLETS) symlinkSync('busybox', path.join(root, 'bin', applet));
    await must('tar', ['-C', root, '-cf', path.join(this.#host.dir, 'image.tar'), '.']);
    await this.must('import', path.join(this.#host.dir, 'image.tar'), IMAGE);
  }
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function processes(): Process[] {
  return readdirSync('/proc').flatMap((name): Process[] => {
    try {
      const status = /^\d+$/.test(name) ? readFileSync(`/proc/${name}/status`, 'utf8') : '';
      const parent = /^PPid:\s*(\d+)/m.exec(status)?.[1];
      if (parent === undefined) return [];
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return [{ pid: Number(name), parent: Number(parent), command }];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

function kill(pid: number): void {
  try {
    if (pid > 1) process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
