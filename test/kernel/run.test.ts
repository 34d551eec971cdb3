/** `tsnet run` in the foreground: what the program sees, and what we see of the program. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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

/** Nothing of any sandbox is left on the host. */
function leftovers(): string[] {
  return ['netns', 'sandboxes'].flatMap((folder) => {
    try {
      return readdirSync(path.join(host.dir, 'run', folder)).map((name) => `${folder}/${name}`);
    } catch {
      return [];
    }
  });
}

/** A zombie is gone: whoever is its parent may take its time. */
function isGone(pid: number): boolean {
  try {
    return /^\d+ \(.*\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return true;
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly output: () => string;
  /** Exit status. */
  readonly ended: Promise<number | null>;
}

/** Starts tsnet in a session of its own, without a terminal whatever the terminal of the tests. */
function start(args: readonly string[], wrapper: readonly string[] = ['setsid']): Started {
  const [file = '', ...rest] = [...wrapper, process.execPath, TSNET, ...args];
  return started(host.start(file, rest, { env: host.env }));
}

function started(child: ChildProcess): Started {
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close').then(([status]) => status as number | null);
  return { child, pid: child.pid ?? 0, output: () => output, ended };
}

/** Counts a signal, and ends a while after the first one with the count as its status. */
function counting(signal: string): string[] {
  return [
    'sh',
    '-c',
    `trap 'n=$((n+1))' ${signal}; echo ready; while [ -z "$n" ]; do sleep 0.02; done; sleep 0.3; exit $n`,
  ];
}

describe('what the program sees', () => {
  it('is a network of its own, in /sys too', async () => {
    const script = 'readlink /proc/self/ns/net; cat /proc/net/dev | tail -n +3 | cut -d: -f1; ls /sys/class/net';
    const outcome = await host.tsnet(['run', '--network', 'none', '--', 'sh', '-c', script]);
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    const [netns, ...links] = outcome.stdout
      .split('\n')
      .map((line) => line.trim())
      .filter(Boolean);
    expect(netns).not.toBe(await host.must('readlink', ['/proc/self/ns/net']));
    expect(links).toEqual(['lo', 'lo']);
  });

  it('keeps what the host has mounted inside /sys', async () => {
    const before = await host.must('ls', ['/sys/fs/cgroup']);
    expect(await host.mustTsnet(['run', '--network', 'none', '--', 'ls', '/sys/fs/cgroup'])).toBe(before);
  });

  it('is a loopback that works', async () => {
    const outcome = await host.tsnet(['run', '--network', 'none', '--', 'ping', '-c', '1', '-W', '1', '127.0.0.1']);
    expect(outcome.status).toBe(0);
  });

  it('is a resolv.conf and a hosts file of its own, while the host keeps its own', async () => {
    const files = ['/etc/resolv.conf', '/etc/hosts'];
    const before = files.map((file) => readFileSync(file, 'utf8'));
    const seen = await host.mustTsnet([
      ...['run', '--name', 'web', '--network', 'none', '--dns', '10.9.8.7', '--dns-search', 'x.example'],
      ...['--dns-option', 'ndots:3', '--', 'cat', ...files],
    ]);
    expect(seen).toContain('nameserver 10.9.8.7\nsearch x.example\noptions ndots:3\n');
    expect(seen).toContain('127.0.0.1\tlocalhost\n');
    expect(files.map((file) => readFileSync(file, 'utf8'))).toEqual(before);
  });

  it('is the host’s name, or one of its own', async () => {
    expect(await host.mustTsnet(['run', '--network', 'none', '--', 'hostname'])).toBe(hostname());
    const named = [
      'run',
      '--network',
      'none',
      '--hostname',
      'box.example',
      '--',
      'sh',
      '-c',
      'hostname; cat /etc/hostname',
    ];
    expect(await host.mustTsnet(named)).toBe('box.example\nbox.example');
    expect(await host.must('hostname')).toBe(hostname());
  });

  it('is the directory, the environment and the standard files of the caller, and no other file', async () => {
    const script = 'pwd; echo "$GREETING"; cat; echo oops >&2; ls /proc/$$/fd';
    const outcome = await host.tsnet(['run', '-i', '--network', 'none', '--', 'sh', '-c', script], {
      env: { GREETING: 'hello' },
      input: 'typed\n',
    });
    const [directory, greeting, typed, ...fds] = outcome.stdout.trim().split('\n');
    expect([directory, greeting, typed]).toEqual([process.cwd(), 'hello', 'typed']);
    expect(outcome.stderr).toBe('oops\n');
    expect(fds).toEqual(['0', '1', '2']);
  });

  it('has an address on the default network, found by its name', async () => {
    const script = 'ip -4 -o addr show eth0; getent hosts web';
    const seen = await host.mustTsnet(['run', '--name', 'web', '--', 'sh', '-c', script]);
    expect(seen).toContain('inet 172.17.0.2/16');
    expect(seen).toMatch(/172\.17\.0\.2\s.*\bweb\b/);
  });
});

describe('how it ends', () => {
  it.each([
    ['the program’s own status', ['sh', '-c', 'exit 7'], 7],
    ['128 and the signal that ended it', ['sh', '-c', 'kill -TERM $$'], 143],
    ['127 for a program that is not there', ['no-such-program'], 127],
    ['126 for a file that is no program', ['/etc/hosts'], 126],
    ['127 for an empty name', [''], 127],
  ])('%s', async (_what, command, status) => {
    const outcome = await host.tsnet(['run', '--network', 'none', '--', ...command]);
    expect(outcome.status).toBe(status);
    expect(outcome.stderr.trim().split('\n').filter(Boolean).length).toBeLessThanOrEqual(1);
    expect(leftovers()).toEqual([]);
    expect(await host.mustTsnet(['ps', '-q'])).toBe('');
  });

  it('125 when tsnet itself refuses', async () => {
    const outcome = await host.tsnet(['run', '--network', 'nowhere', '--', 'true']);
    expect(outcome).toMatchObject({ status: 125, stdout: '' });
    expect(outcome.stderr).toMatch(/^tsnet: .*nowhere/);
    expect(leftovers()).toEqual([]);
  });

  it('takes along what the program leaves behind', async () => {
    const pid = await host.mustTsnet([
      'run',
      '--network',
      'none',
      '--',
      'sh',
      '-c',
      'sleep 1000 >/dev/null 2>&1 & echo $!',
    ]);
    expect(isGone(Number(pid))).toBe(true);
  });

  it('refuses a name that is taken, and leaves its holder alone', async () => {
    const first = start(['run', '--name', 'web', '--network', 'none', '--', 'sh', '-c', 'echo ready; cat']);
    await until(() => first.output().includes('ready'));
    const second = await host.tsnet(['run', '--name', 'web', '--network', 'none', '--', 'true']);
    expect(second).toMatchObject({ status: 125 });
    expect(second.stderr).toContain('web');
    first.child.stdin?.end();
    expect(await first.ended).toBe(0);
  });

  it('leaves a sandbox that gc removes once its program ends, when tsnet is killed', async () => {
    const end = path.join(host.dir, 'end');
    const script = `echo ready $$; while [ ! -e ${end} ]; do sleep 0.02; done`;
    const run = start(['run', '--name', 'web', '--network', 'none', '--', 'sh', '-c', script]);
    const status = (): Promise<string> => host.mustTsnet(['ps', '--format', '{{.Name}} {{.Status}}']);
    await until(async () => (await status()).startsWith('web Up') && run.output().includes('ready'));
    process.kill(run.pid, 'SIGKILL');
    await once(run.child, 'exit');
    expect(await status()).toMatch(/^web Up/);
    writeFileSync(end, '');
    const pid = Number(/ready (\d+)/.exec(run.output())?.[1]);
    await until(() => isGone(pid));
    expect(await host.mustTsnet(['gc'])).toContain('web');
    expect(readdirSync(path.join(host.dir, 'run/netns'))).toEqual([]);
    expect(await host.mustTsnet(['ps', '-q'])).toBe('');
  });
});

describe('signals', () => {
  it.each(['TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2', 'WINCH'] as const)(
    'SIG%s to tsnet reaches the program',
    async (signal) => {
      const run = start(['run', '--network', 'none', '--', ...counting(signal)]);
      await until(() => run.output().includes('ready'));
      process.kill(run.pid, `SIG${signal}`);
      expect(await run.ended).toBe(1);
      expect(leftovers()).toEqual([]);
    },
  );

  it.each(['TERM', 'INT'] as const)('SIG%s to the process group reaches the program once', async (signal) => {
    const run = start(['run', '--network', 'none', '--', ...counting(signal)]);
    await until(() => run.output().includes('ready'));
    process.kill(-run.pid, `SIG${signal}`);
    expect(await run.ended).toBe(1);
  });
});

describe('in a terminal', () => {
  /** `script` gives the program a pseudo-terminal; what is written to it is typed. */
  function type(command: string): Started {
    return started(
      host.start('setsid', ['script', '-qefc', command, '/dev/null'], { env: { ...host.env, SHELL: '/bin/bash' } }),
    );
  }

  const tsnet = `${process.execPath} ${TSNET}`;

  it('the program has the terminal', async () => {
    const run = type(
      `${tsnet} run -it --network none -- sh -c 'tty; stty size >/dev/null && echo sized; read line; echo "got $line"'`,
    );
    await until(() => run.output().includes('sized'));
    run.child.stdin?.write('words\n');
    expect(await run.ended).toBe(0);
    expect(run.output()).toMatch(/\/dev\/pts\/\d+/);
    expect(run.output()).toContain('got words');
  });

  it('^C reaches the program once, and tsnet waits for what it makes of it', async () => {
    const run = type(`${tsnet} run --network none -- sh -c '${counting('INT')[2]?.replaceAll("'", '"') ?? ''}'`);
    await until(() => run.output().includes('ready'));
    run.child.stdin?.write('\x03');
    expect(await run.ended).toBe(1);
    expect(leftovers()).toEqual([]);
  });

  it('^Z stops both, fg continues both', async () => {
    const run = type('bash --norc -i');
    run.child.stdin?.write(`${tsnet} run --network none -- sh -c 'echo rea''dy; read line; echo "got $line"'\n`);
    await until(() => run.output().includes('ready'));
    run.child.stdin?.write('\x1a');
    await until(() => /Stopped/.test(run.output()));
    run.child.stdin?.write('echo shell is ba""ck; fg\n');
    await until(() => run.output().includes('shell is back'));
    run.child.stdin?.write('words\n');
    await until(() => run.output().includes('got words'));
    run.child.stdin?.write('exit $?\n');
    expect(await run.ended).toBe(0);
    expect(leftovers()).toEqual([]);
  });
});
