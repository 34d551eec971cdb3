/** A real podman whose network helper is ours: its state in the folder of a throw-away host, its containers busybox. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { must, until, type Host, type Outcome, type RunOptions } from './lab.ts';

const IMAGE = 'tsnet-test';
const APPLETS = ['sh', 'ip', 'ping', 'sleep', 'httpd', 'nc', 'cat', 'mkdir'];
/** Where aardvark-dns is on Debian; podman looks for netavark in our folder first. */
const DEBIAN_HELPERS = '/usr/lib/podman';
/** Fixed for root, whatever --root says. The tests' /run is their own. */
const NAMES_PID = '/run/containers/networks/aardvark-dns/aardvark.pid';

export const PODMAN_PROGRAMS = ['podman', 'conmon', 'runc', 'busybox'];

export interface Podman {
  run(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  must(...args: readonly string[]): Promise<string>;
  /** Starts a container that sleeps, with more arguments of `podman run`. */
  start(name: string, ...args: readonly string[]): Promise<void>;
  /** Runs a command of busybox in a container. */
  exec(name: string, ...command: readonly string[]): Promise<string>;
  /** Serves the container's name at port 80 of every address of it. */
  serve(name: string): Promise<void>;
  /** The page at an address, asked for in the container; "" where there is none. */
  page(name: string, address: string, port?: number): Promise<string>;
  /** Podman's file of a network. */
  network(name: string): Readonly<Record<string, unknown>>;
  close(): Promise<void>;
}

/** Not wget: the statically linked one of Debian 12 crashes. */
export const FETCH = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 "$1" "$2"`;

export async function openPodman(host: Host): Promise<Podman> {
  const dir = path.join(host.dir, 'podman');
  mkdirSync(dir);
  const [storage, containers] = [path.join(dir, 'storage.conf'), path.join(dir, 'containers.conf')];
  const helpers = path.join(dir, 'helpers');
  // Podman cleans up after a container in a process of its own, which has nothing of our environment.
  await host.mustTsnet(['netavark', 'install', '--dir', helpers]);
  writeFileSync(storage, `[storage]\ndriver = "vfs"\ngraphroot = "${dir}/lib"\nrunroot = "${dir}/run"\n`);
  writeFileSync(
    containers,
    // Podman asks for the highest limits there are, which a host without CAP_SYS_RESOURCE refuses.
    `[containers]\ndefault_ulimits = ["nofile=256:256", "nproc=4096:4096"]\n` +
      `[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\ntmp_dir = "${dir}/tmp"\n` +
      `helper_binaries_dir = ["${helpers}", "${DEBIAN_HELPERS}"]\n` +
      `[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "${dir}/networks"\n`,
  );
  const env = { ...host.env, CONTAINERS_STORAGE_CONF: storage, CONTAINERS_CONF: containers };
  const podman: Podman = {
    run: (args, options = {}) => host.run('podman', args, { ...options, env: { ...env, ...options.env } }),
    must: (...args) => host.must('podman', args, { env }),
    start: async (name, ...args) => {
      await podman.must('run', '-d', '--name', name, '--stop-timeout', '0', ...args, IMAGE, '/bin/sleep', '1000');
    },
    exec: (name, ...command) => podman.must('exec', name, ...command),
    serve: async (name) => {
      const script = `mkdir -p /www && echo ${name} >/www/index.html && httpd -h /www -p 80`;
      await podman.exec(name, '/bin/sh', '-c', script);
    },
    page: async (name, address, port = 80) => {
      const { stdout } = await podman.run(['exec', name, '/bin/sh', '-c', FETCH, 'sh', address, String(port)]);
      return lastLine(stdout);
    },
    network: (name) => JSON.parse(readFileSync(path.join(dir, 'networks', `${name}.json`), 'utf8')) as never,
    close: async () => {
      await podman.run(['rm', '-f', '-a', '-t', '0']);
      await stopNames();
      await podman.run(['unmount', '-a']);
    },
  };
  await podman.must('import', '-q', await imageFile(dir), IMAGE);
  return podman;
}

export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

/** A root file system of busybox, as a tar file. */
async function imageFile(dir: string): Promise<string> {
  const root = path.join(dir, 'image');
  mkdirSync(path.join(root, 'bin'), { recursive: true });
  await must('cp', [await must('sh', ['-c', 'command -v busybox']), path.join(root, 'bin/busybox')]);
  for (const applet of APPLETS) symlinkSync('busybox', path.join(root, 'bin', applet));
  await must('tar', ['-C', root, '-cf', `${root}.tar`, '.']);
  return `${root}.tar`;
}

/** Process id of the aardvark-dns that runs. */
export function namesPid(): number | undefined {
  try {
    const pid = Number(readFileSync(NAMES_PID, 'utf8'));
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}

/** It ends by itself with the last container; not when a test failed. */
async function stopNames(): Promise<void> {
  const pid = namesPid();
  if (pid === undefined) return;
  process.kill(pid, 'SIGTERM');
  await until(() => namesPid() === undefined);
}
