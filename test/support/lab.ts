/**
 * Throw-away hosts for tests: network namespaces with LANs between them, and the built tsnet inside.
 *
 * A `Host` is a namespace under /run/netns with a data-root and an exec-root of its own. Everything a test makes goes away
 * with `lab.close()`.
 */
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly timeoutMs?: number;
}

export const TSNET = path.resolve(import.meta.dirname, '../../dist/tsnet.js');

/** Runs a program to its end; a non-zero status is an outcome, not an error. */
export function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      [...args],
      {
        env: { ...process.env, ...options.env },
        timeout: options.timeoutMs ?? 30_000,
        maxBuffer: 64 << 20,
        encoding: 'utf8',
      },
      (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 128;
        resolve({ status, stdout, stderr });
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs a program that must succeed; its output, trimmed. */
export async function must(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const outcome = await run(file, args, options);
  if (outcome.status !== 0) {
    throw new Error(`${file} ${args.join(' ')}: status ${String(outcome.status)}\n${outcome.stderr}${outcome.stdout}`);
  }
  return outcome.stdout.trim();
}

/** Polls until `look` answers something other than undefined or false. The time is generous: the machine may be busy with other things. */
export async function until<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 15_000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > end) throw new Error(`not so within ${String(timeoutMs)} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export class Namespace {
  readonly name: string;
  readonly path: string;
  readonly #children = new Set<ChildProcess>();
  /** How nsenter gets in. */
  #entry: readonly string[];

  constructor(name: string) {
    this.name = name;
    this.path = `/run/netns/${name}`;
    this.#entry = [`--net=${this.path}`];
    execFileSync('ip', ['netns', 'add', name]);
    execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  }

  /** Runs a program inside the namespace. */
  run(file: string, args: readonly string[] = [], options: RunOptions = {}): Promise<Outcome> {
    return run('nsenter', [...this.#entry, file, ...args], options);
  }

  must(file: string, args: readonly string[] = [], options: RunOptions = {}): Promise<string> {
    return must('nsenter', [...this.#entry, file, ...args], options);
  }

  /** Starts a program inside the namespace that lives until the namespace is closed. */
  start(file: string, args: readonly string[] = [], options: RunOptions = {}): ChildProcess {
    const child = spawn('nsenter', [...this.#entry, file, ...args], {
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    return child;
  }

  /** What is started from here on has an empty folder of its own at this path, and sees no mounts that others make later. */
  async hide(folder: string): Promise<void> {
    const keeper = this.start('unshare', [
      ...['--mount', '--propagation', 'private', 'sh', '-c'],
      `mkdir -p ${folder} && mount -t tmpfs tmpfs ${folder} && echo hidden && exec sleep infinity`,
    ]);
    let said = '';
    keeper.stdout?.on('data', (part: Buffer) => (said += part.toString()));
    await until(() => said.includes('hidden'));
    this.#entry = [`--net=${this.path}`, `--mount=/proc/${String(keeper.pid)}/ns/mnt`];
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    execFileSync('ip', ['netns', 'delete', this.name], { stdio: 'ignore' });
  }
}

export const FIREWALL_BACKENDS = ['iptables', 'nftables'] as const;
export type FirewallBackend = (typeof FIREWALL_BACKENDS)[number];

/**
 * A namespace that plays a host with tsnet on it. FIREWALL_BACKEND=nftables in the environment of the tests: it uses this
 * backend unless a test writes a daemon.json of its own. TSNET_MODE=daemon: a daemon is started with the first command, and
 * commands go through it.
 */
export class Host extends Namespace {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where its daemon listens, once there is one. */
  readonly socket: string;
  #daemon: { readonly process: ChildProcess; readonly log: () => string } | undefined;
  #starting: Promise<ChildProcess> | undefined;

  constructor(name: string) {
    super(name);
    this.dir = mkdtempSync(path.join(tmpdir(), 'tsnet-host-'));
    this.socket = path.join(this.dir, 'run', 'tsnet.sock');
    this.env = {
      TSNET_DATA_ROOT: path.join(this.dir, 'lib'),
      TSNET_EXEC_ROOT: path.join(this.dir, 'run'),
      TSNET_CONFIG: path.join(this.dir, 'daemon.json'),
      NODE_EXTRA_CA_CERTS: '',
    };
    const backend = process.env['FIREWALL_BACKEND'];
    if (backend === 'iptables' || backend === 'nftables') this.useFirewall(backend);
  }

  /** Asks for a firewall backend in daemon.json, with nothing else in it. */
  useFirewall(backend: FirewallBackend): void {
    writeFileSync(path.join(this.dir, 'daemon.json'), JSON.stringify({ 'firewall-backend': backend }));
  }

  /** Runs the built tsnet on this host. */
  async tsnet(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    await this.#inMode();
    return this.run(process.execPath, [TSNET, ...args], { ...options, env: { ...this.env, ...options.env } });
  }

  /** Runs tsnet, which must succeed; its output, trimmed. Where it does not, the error has what the daemon said last. */
  async mustTsnet(args: readonly string[], options: RunOptions = {}): Promise<string> {
    await this.#inMode();
    try {
      return await this.must(process.execPath, [TSNET, ...args], { ...options, env: { ...this.env, ...options.env } });
    } catch (error) {
      if (this.#daemon === undefined) throw error;
      const said = this.daemonLog().slice(-LAST_SAID);
      throw new Error(`${error instanceof Error ? error.message : String(error)}\nits daemon: ${said}`, {
        cause: error,
      });
    }
  }

  async #inMode(): Promise<void> {
    if (process.env['TSNET_MODE'] === 'daemon') await (this.#starting ??= this.startDaemon());
  }

  /** Starts a daemon and waits until it answers. It goes with the host. */
  async startDaemon(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<ChildProcess> {
    let log = '';
    const daemon = this.start(process.execPath, [TSNET, 'daemon', '--log-format', 'text', ...args], {
      env: { ...this.env, ...env },
    });
    daemon.stderr?.on('data', (part: Buffer) => {
      log += part.toString();
    });
    daemon.once('exit', (status, signal) => {
      log += `[ended: ${signal ?? `status ${String(status)}`}]\n`;
    });
    this.#daemon = { process: daemon, log: () => log };
    await until(() => {
      if (daemon.exitCode !== null) throw new Error(`the daemon ended: ${log}`);
      return log.includes(' ready ');
    }, 20_000);
    return daemon;
  }

  /** What the daemon that was started last has written. */
  daemonLog(): string {
    return this.#daemon?.log() ?? '';
  }

  /** Tells the daemon to stop and waits until it has; its exit status. */
  async stopDaemon(): Promise<number | null> {
    const daemon = this.#daemon?.process;
    this.#daemon = undefined;
    this.#starting = undefined;
    if (daemon === undefined) return null;
    if (daemon.exitCode === null) {
      const ended = new Promise((resolve) => daemon.once('exit', resolve));
      daemon.kill('SIGTERM');
      await ended;
    }
    return daemon.exitCode;
  }

  override close(): void {
    super.close();
    // Namespaces of sandboxes are bind mounts below exec-root; a test that failed may have left some.
    try {
      const mounts = execFileSync('sh', ['-c', `grep -F '${this.dir}' /proc/self/mounts | cut -d' ' -f2`], {
        encoding: 'utf8',
      });
      for (const mount of mounts.split('\n').filter(Boolean))
        execFileSync('umount', ['-l', mount], { stdio: 'ignore' });
    } finally {
      rmSync(this.dir, { recursive: true, force: true });
    }
  }
}

/** Characters of a daemon's log that go into an error. */
const LAST_SAID = 1500;

let counter = 0;

/** All that one test makes. */
export class Lab {
  readonly #closers: (() => void)[] = [];
  readonly #prefix = `t${String(process.pid)}`;

  #add<T extends { close(): void }>(made: T): T {
    this.#closers.push(() => {
      made.close();
    });
    return made;
  }

  #name(role: string): string {
    return `${this.#prefix}-${role}${String(counter++)}`;
  }

  namespace(role = 'ns'): Namespace {
    return this.#add(new Namespace(this.#name(role)));
  }

  host(role = 'host'): Host {
    return this.#add(new Host(this.#name(role)));
  }

  /** Joins two namespaces by a veth pair with the given link names and addresses. */
  async wire(
    a: Namespace,
    aLink: string,
    aAddresses: readonly string[],
    b: Namespace,
    bLink: string,
    bAddresses: readonly string[],
  ): Promise<void> {
    await must('ip', ['link', 'add', aLink, 'netns', a.name, 'type', 'veth', 'peer', 'name', bLink, 'netns', b.name]);
    for (const [side, link, addresses] of [
      [a, aLink, aAddresses],
      [b, bLink, bAddresses],
    ] as const) {
      for (const address of addresses) {
        await must('ip', [
          '-n',
          side.name,
          'address',
          'add',
          address,
          'dev',
          link,
          ...(address.includes(':') ? ['nodad'] : []),
        ]);
      }
      // A link-local address that is still checked for duplicates forwards nothing for a second or two.
      await side.must('sysctl', ['-qw', `net.ipv6.conf.${link}.accept_dad=0`]);
      await must('ip', ['-n', side.name, 'link', 'set', link, 'up']);
    }
  }

  close(): void {
    for (const closer of this.#closers.reverse()) {
      try {
        closer();
      } catch {
        // The test's own failure is the one to show.
      }
    }
  }
}
