import { spawn } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startDaemon, type Daemon } from '../support/daemon.ts';
import { Lab, TSNET, until, type Host } from '../support/lab.ts';

let lab: Lab;
let host: Host;
beforeEach(() => {
  lab = new Lab();
  host = lab.host();
});
afterEach(() => {
  lab.close();
});

function config(content: Readonly<Record<string, unknown>>): void {
  writeFileSync(path.join(host.dir, 'daemon.json'), JSON.stringify(content));
}

describe('commands while a daemon runs', () => {
  let daemon: Daemon;
  beforeEach(async () => {
    daemon = await startDaemon(host);
  });

  it('do what they do without it', async () => {
    const container = lab.namespace('c');
    await host.mustTsnet(['create', '--subnet', '10.9.0.0/24', 'web']);
    await host.mustTsnet(['connect', '-p', '8080:80', 'web', container.path]);
    expect(await host.mustTsnet(['port'])).toMatch(/0\.0\.0\.0:8080 +10\.9\.0\.2/);
    await container.must('ping', ['-c1', '-W2', '10.9.0.1']);
    await host.mustTsnet(['disconnect', 'web', container.name]);
    await host.mustTsnet(['rm', 'web']);
    expect(await host.mustTsnet(['ls', '-q', '--filter', 'type=custom'])).toBe('');
  });

  it('load neither netlink nor LMDB nor libc', async () => {
    const trace = path.join(host.dir, 'trace');
    const container = lab.namespace('c');
    for (const args of [['ls'], ['connect', 'bridge', container.path], ['info'], ['diff']]) {
      await host.run('strace', ['-f', '-e', 'trace=openat', '-o', trace, process.execPath, TSNET, ...args], {
        env: host.env,
      });
      const { stdout } = await host.run('grep', ['-E', String.raw`\.node"|koffi|lmdb|data\.mdb`, trace]);
      expect(stdout).toBe('');
    }
    expect(await host.mustTsnet(['ps', '--format', 'json'])).toContain(container.name);
  });

  it('are told what it was told when it refused, the causes as well', async () => {
    const refused = await host.tsnet(['connect', 'nope', '/run/netns/nowhere']);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/^tsnet: network nope not found/);
    const { stderr } = await host.tsnet(['--debug', 'connect', 'bridge', 'docker:nobody']);
    await daemon.end('SIGTERM');
    expect((await host.tsnet(['--debug', 'connect', 'bridge', 'docker:nobody'])).stderr).toBe(stderr);
  });

  it('go on without it when it is killed, and with the next', async () => {
    await host.mustTsnet(['create', 'web']);
    expect(await daemon.end('SIGKILL')).toBe('SIGKILL');
    expect(existsSync(daemon.socket)).toBe(true);
    expect(await host.mustTsnet(['ls', '--format', '{{.Name}}', '--filter', 'type=custom'])).toBe('web');
    expect(await host.tsnet(['-H', `unix://${daemon.socket}`, 'ls'])).toMatchObject({
      status: 1,
      stderr: `tsnet: ask the daemon: ${daemon.socket}: nobody listens there; start it with \`tsnet daemon\`, or leave -H away\n`,
    });
    await startDaemon(host);
    expect(await host.mustTsnet(['-H', `unix://${daemon.socket}`, 'ls', '-q'])).not.toBe('');
  });

  it('are refused to those who are neither root nor of the group', async () => {
    expect(statSync(daemon.socket).mode & 0o777).toBe(0o660);
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    await host.must('chmod', ['755', host.dir, path.dirname(daemon.socket)]);
    const outcome = await host.run('setpriv', [...nobody, process.execPath, TSNET, 'ls'], { env: host.env });
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toBe(
      `tsnet: ask the daemon at ${daemon.socket}: permission denied; be root, or a member of the group that owns the socket\n`,
    );
  });
});

describe('the daemon', () => {
  it('is one for an exec-root, and says who the other is', async () => {
    const { pid } = await startDaemon(host);
    const second = await host.tsnet(['daemon']);
    expect(second.status).toBe(1);
    expect(second.stderr).toBe(
      `tsnet: start the daemon: another one (pid ${pid}) serves ${host.dir}/run; stop it, or give this one an exec-root of its own\n`,
    );
    expect(await host.mustTsnet(['ls', '-q'])).not.toBe('');
  });

  it('leaves everything as it is when it is stopped', async () => {
    const daemon = await startDaemon(host);
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', '-p', '8080:80', 'bridge', container.path]);
    const rules = await host.must('iptables-save');
    expect(await daemon.end('SIGTERM')).toBe(0);
    expect((await host.must('iptables-save')).replace(/^#.*$/gm, '')).toBe(rules.replace(/^#.*$/gm, ''));
    expect(existsSync(daemon.socket)).toBe(false);
    await container.must('ping', ['-c1', '-W2', '172.17.0.1']);
  });

  it('reads daemon.json again at SIGHUP, and names what only a restart changes', async () => {
    config({ 'default-address-pools': [{ base: '10.30.0.0/16', size: 24 }] });
    const daemon = await startDaemon(host);
    const subnet = async (name: string): Promise<string> => {
      await host.mustTsnet(['create', name]);
      return host.mustTsnet(['inspect', '-f', '{{range .IPAM.Config}}{{.Subnet}}{{end}}', name]);
    };
    expect(await subnet('before')).toMatch(/^10\.30\./);
    config({ 'default-address-pools': [{ base: '10.40.0.0/16', size: 24 }], hosts: ['unix:///elsewhere.sock'] });
    process.kill(daemon.pid, 'SIGHUP');
    await until(() => daemon.log().includes('"reloaded"'));
    expect(daemon.log()).toMatch(/"keys":\["hosts"\].*only a restart/);
    config({ 'default-address-pools': [{ base: '10.40.0.0/16', size: 24 }] });
    expect(await subnet('after')).toMatch(/^10\.40\./);
    config({ 'default-address-pools': 'nonsense' });
    process.kill(daemon.pid, 'SIGHUP');
    await until(() => daemon.log().includes('stays as it was'));
    config({});
    expect(await subnet('still')).toMatch(/^10\.40\./);
  });

  it('tells a service manager when it is ready, and that it lives', async () => {
    const manager = datagramSocket(path.join(host.dir, 'notify'));
    try {
      const daemon = await startDaemon(host, [], { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: '100000' });
      await until(() => manager.heard().some((state) => state.startsWith('READY=1\n')));
      await until(() => manager.heard().includes('WATCHDOG=1'));
      await daemon.end('SIGTERM');
      expect(manager.heard()).toContain('STOPPING=1');
    } finally {
      manager.close();
    }
  });

  it('takes the socket that a service manager made', async () => {
    const place = path.join(host.dir, 'handed.sock');
    const server = createServer().listen(place);
    await until(() => existsSync(place));
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    // LISTEN_PID is the daemon's own, which the shell has until it becomes node.
    const command = 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"';
    const child = spawn(
      'nsenter',
      [`--net=${host.path}`, 'sh', '-c', command, 'sh', process.execPath, TSNET, '-H', 'fd://', 'daemon'],
      { env: { ...process.env, ...host.env }, stdio: ['ignore', 'ignore', 'pipe', fd] },
    );
    let log = '';
    child.stderr?.on('data', (data: Buffer) => (log += data.toString()));
    await until(() => log.includes('ready'), 15_000);
    server.close();
    // Closing our copy took the file away; the socket itself lives in the daemon.
    expect(log).toContain('fd://');
    child.kill('SIGTERM');
    await until(() => child.exitCode !== null);
    expect(child.exitCode).toBe(0);
  });

  it('listens where nobody but the host can reach it', async () => {
    const { status, stderr } = await host.tsnet(['-H', 'tcp://127.0.0.1:2375', 'daemon']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^tsnet: listen at tcp:.*unix:\/\/ and fd:\/\/ only/);
  });
});

/** A unix datagram socket, which Node.js has none of. */
function datagramSocket(file: string): { path: string; heard: () => string[]; close: () => void } {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(null);
  const socket = library.func('int socket(int family, int type, int protocol)');
  const bind = library.func('int bind(int fd, const void *address, uint32_t size)');
  const recv = library.func('long recv(int fd, void *data, size_t length, int flags)');
  const close = library.func('int close(int fd)');
  const fd = socket(1, 0o2004002, 0) as number;
  const address = Buffer.concat([Buffer.from([1, 0]), Buffer.from(file), Buffer.alloc(1)]);
  if ((bind(fd, address, address.length) as number) !== 0) throw new Error(`bind ${file}`);
  const states: string[] = [];
  return {
    path: file,
    heard: () => {
      const data = Buffer.alloc(4096);
      for (;;) {
        const length = Number(recv(fd, data, data.length, 0));
        if (length <= 0) return states;
        states.push(data.toString('utf8', 0, length));
      }
    },
    close: () => void close(fd),
  };
}
