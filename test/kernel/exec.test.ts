/** Sandboxes that live on: `tsnet run -d`, `exec`, `stop`, `ps`. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, TSNET, run, until, type Host } from '../support/lab.ts';

let lab: Lab;
let host: Host;

beforeEach(() => {
  lab = new Lab();
  host = lab.host();
});

afterEach(async () => {
  // A test that failed may have left some.
  const left = entries('netns');
  if (left.length > 0) await host.tsnet(['stop', '-t', '0', ...left]);
  lab.close();
});

function entries(folder: 'netns' | 'sandboxes'): string[] {
  try {
    return readdirSync(path.join(host.dir, 'run', folder));
  } catch {
    return [];
  }
}

/** Polls until nothing of any sandbox is left on the host. */
async function allGone(): Promise<void> {
  await until(() => entries('netns').length + entries('sandboxes').length === 0);
  expect(await host.mustTsnet(['ps', '-q'])).toBe('');
}

/** Command lines of the live processes that name this host's folder or sandbox: pid → arguments. */
function processes(part: string): Map<number, string> {
  const found = new Map<number, string>();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const line = readFileSync(`/proc/${entry}/cmdline`, 'utf8').replaceAll('\0', ' ');
      // A zombie has no command line.
      if (line.includes(part) && Number(entry) !== process.pid) found.set(Number(entry), line);
    } catch {
      // Ended in the meantime.
    }
  }
  return found;
}

function detached(args: readonly string[], command: readonly string[]): Promise<string> {
  return host.mustTsnet(['run', '-d', '--network', 'none', ...args, '--', ...command]);
}

function logOf(id: string): string {
  return readFileSync(path.join(host.dir, 'run/sandboxes', id, 'log'), 'utf8');
}

/** Says that it is ready, then waits; `onTerm` runs at SIGTERM. */
function waiting(onTerm: string): string[] {
  return ['sh', '-c', `trap '${onTerm}' TERM; echo ready; while :; do sleep 0.02; done`];
}

describe('run -d', () => {
  it('prints the id and leaves no Node.js behind', async () => {
    const id = await detached([], ['sleep', '1000']);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const left = [...processes(id).values()];
    expect(left).toHaveLength(1);
    expect(left[0]).toMatch(/^\/bin\/sh [^]*tsnet-undertaker/);
    expect(processes(host.dir).size).toBe(1);
    await host.mustTsnet(['stop', '-t', '0', id]);
    await allGone();
  });

  it('runs the program in a session of its own, without terminal, input or files of ours', async () => {
    const script =
      'cat; ls /proc/$$/fd; cut -d" " -f6,7 /proc/$$/stat; grep -E "Sig(Blk|Ign|Cgt)" /proc/self/status; echo oops >&2; exec sleep 1000';
    const id = await detached([], ['sh', '-c', script]);
    const log = await until(() => (logOf(id).includes('oops') ? logOf(id) : undefined));
    const [zero, one, two, stat, ...signals] = log.trim().split('\n');
    expect([zero, one, two]).toEqual(['0', '1', '2']);
    expect(stat).toMatch(/^[1-9]\d* 0$/);
    // Signals from 32 on are the C library's own; a parent may hand them down ignored.
    const ignored = /SigIgn:\s+([0-9a-f]+)/.exec(signals.join('\n'))?.[1] ?? '';
    expect(signals).toContainEqual(expect.stringMatching(/SigBlk:\s0+$/));
    expect(BigInt(`0x${ignored}`) & 0x7fffffffn).toBe(0n);
    await host.mustTsnet(['stop', '-t', '0', id]);
  });

  it.each([
    ['ends', ['true']],
    ['fails', ['false']],
    ['ends with 127 of its own accord', ['sh', '-c', 'exit 127']],
    ['is killed', ['sh', '-c', 'kill -KILL $$']],
  ])('the sandbox goes by itself when its program %s', async (_what, command) => {
    expect(await detached([], command)).toMatch(/^[0-9a-f]{64}$/);
    await allGone();
    expect(processes(host.dir).size).toBe(0);
  });

  it.each([
    ['127 for a program that is not there', 'no-such-program', 127],
    ['127 for a path that is not there', '/no/such/program', 127],
    ['126 for a file that is no program', '/etc/hosts', 126],
    ['127 for an empty name', '', 127],
  ])('says %s, prints no id and leaves nothing', async (_what, command, status) => {
    const outcome = await host.tsnet(['run', '-d', '--network', 'none', '--', command]);
    expect(outcome).toMatchObject({ status, stdout: '' });
    expect(outcome.stderr).toMatch(/^tsnet: run ".*": .+\n$/);
    await allGone();
    expect(processes(host.dir).size).toBe(0);
  });

  it('the sandbox goes with its supervisor too, and its program with it', async () => {
    const id = await detached(['--name', 'web'], ['sleep', '1001']);
    const [supervisor] = [...processes('tsnet-supervisor sleep 1001').keys()];
    expect(supervisor).toBeGreaterThan(1);
    process.kill(supervisor ?? 0, 'SIGKILL');
    await allGone();
    await until(() => [...processes('sleep 1001').values()].every((line) => !line.startsWith('sleep')));
    expect(id).toHaveLength(64);
  });

  it('gc removes it when nobody was left to do so', async () => {
    const id = await detached(['--name', 'web'], ['sleep', '1002']);
    for (const part of [id, 'tsnet-supervisor sleep 1002'])
      for (const pid of processes(part).keys()) process.kill(pid, 'SIGKILL');
    for (const [pid, line] of processes('sleep 1002')) if (line.startsWith('sleep')) process.kill(pid, 'SIGKILL');
    await until(async () => (await host.mustTsnet(['ps', '--format', '{{.Status}}'])) === 'Dead');
    expect(await host.mustTsnet(['gc'])).toContain('web');
    expect(entries('netns')).toEqual([]);
  });

  it('never runs a program that the ledger does not know, whenever tsnet is killed', async () => {
    for (let cut = 0; cut < 12; cut++) {
      const mark = path.join(host.dir, `ran-${cut}`);
      const args = ['run', '-d', '--network', 'none', '--', 'sh', '-c', `echo $$ >${mark}; exec sleep 1003`];
      const child = host.start(process.execPath, [TSNET, ...args], { env: host.env });
      // The moment of the kill is what is tried: another step of the start each time.
      await new Promise((resolve) => setTimeout(resolve, 50 + cut * 16));
      child.kill('SIGKILL');
      // Either it runs and is known, or it never ran and is forgotten.
      await until(async () => {
        await host.mustTsnet(['gc']);
        const known = (await host.mustTsnet(['ps', '-q', '--no-trunc'])).split('\n').filter(Boolean);
        const running = [...processes('sleep 1003').values()].filter((line) => line.startsWith('sleep')).length;
        return known.length === running && entries('netns').length === known.length;
      });
      const left = (await host.mustTsnet(['ps', '-q'])).split('\n').filter(Boolean);
      if (left.length > 0) await host.mustTsnet(['stop', '-t', '0', ...left]);
      await until(() => processes('sleep 1003').size === 0);
    }
  });
});

describe('stop', () => {
  it('lets the program end itself at SIGTERM, in its own time', async () => {
    const mark = path.join(host.dir, 'mark');
    const id = await detached(['--name', 'web'], waiting(`sleep 0.5; echo bye >${mark}; exit 0`));
    await until(() => logOf(id).includes('ready'));
    expect(await host.mustTsnet(['stop', 'web'])).toBe('web');
    expect(readFileSync(mark, 'utf8')).toBe('bye\n');
    await allGone();
    await until(() => processes(host.dir).size === 0);
  });

  it('kills it when the time is up', async () => {
    const id = await detached(['--name', 'web'], waiting('echo no'));
    await until(() => logOf(id).includes('ready'));
    const before = performance.now();
    expect(await host.mustTsnet(['stop', '-t', '1', 'web'])).toBe('web');
    expect(performance.now() - before).toBeGreaterThan(1000);
    await allGone();
  });

  it('takes along the children of the program', async () => {
    await detached(['--name', 'web'], ['sh', '-c', 'setsid sleep 1004 & sleep 1004']);
    await until(() => [...processes('sleep 1004').values()].filter((line) => line.startsWith('sleep')).length === 2);
    await host.mustTsnet(['stop', 'web']);
    expect([...processes('sleep 1004').values()].filter((line) => line.startsWith('sleep'))).toEqual([]);
  });

  it('ends a program that runs in the foreground, and not the tsnet that waits for it', async () => {
    const child = host.start(
      'setsid',
      [process.execPath, TSNET, 'run', '--name', 'web', '--network', 'none', '--', 'sleep', '1000'],
      {
        env: host.env,
      },
    );
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    await until(async () => (await host.mustTsnet(['ps', '--format', '{{.Status}}'])).startsWith('Up'));
    await host.mustTsnet(['stop', 'web']);
    expect(await ended).toBe(143);
    await allGone();
  });

  it('stops several, and goes on after one that is not there', async () => {
    await detached(['--name', 'a'], ['sleep', '1000']);
    await detached(['--name', 'b'], ['sleep', '1000']);
    const outcome = await host.tsnet(['stop', 'a', 'nobody', 'b']);
    expect(outcome.status).toBe(1);
    expect(outcome.stdout.trim().split('\n').sort()).toEqual(['a', 'b']);
    expect(outcome.stderr).toContain('nobody');
    await allGone();
  });
});

describe('exec', () => {
  it('sees the network, the files and the host name of the sandbox', async () => {
    await detached(['--name', 'web', '--hostname', 'box', '--dns', '10.9.8.7'], ['sleep', '1005']);
    const script = 'readlink /proc/self/ns/net; hostname; cat /etc/resolv.conf; pwd; cat; exit 9';
    const outcome = await host.tsnet(['exec', '-i', 'web', '--', 'sh', '-c', script], { input: 'typed' });
    const [netns, name, ...rest] = outcome.stdout.split('\n');
    const [pid] = [...processes('sleep 1005')].find(([, line]) => line.startsWith('sleep')) ?? [0];
    expect([netns, name]).toEqual([(await run('readlink', [`/proc/${pid}/ns/net`])).stdout.trim(), 'box']);
    expect(rest.join('\n')).toContain('nameserver 10.9.8.7\n');
    expect(rest.slice(-2)).toEqual([process.cwd(), 'typed']);
    expect(outcome.status).toBe(9);
    await host.mustTsnet(['stop', '-t', '0', 'web']);
  });

  it('has the same statuses as run', async () => {
    await detached(['--name', 'web'], ['sleep', '1000']);
    expect((await host.tsnet(['exec', 'web', 'no-such-program'])).status).toBe(127);
    expect((await host.tsnet(['exec', 'web', '/etc/hosts'])).status).toBe(126);
    expect((await host.tsnet(['exec', 'web', '--', 'sh', '-c', 'kill -9 $$'])).status).toBe(137);
    const nobody = await host.tsnet(['exec', 'nobody', 'true']);
    expect(nobody).toMatchObject({ status: 125 });
    expect(nobody.stderr).toContain('nobody');
    await host.mustTsnet(['stop', '-t', '0', 'web']);
  });

  it('runs the host’s programs in the network of a container that is not ours, with its names', async () => {
    const container = lab.namespace('container');
    await host.mustTsnet(['create', 'web']);
    await host.mustTsnet(['connect', '--alias', 'www', 'web', container.path]);
    const seen = await host.mustTsnet([
      'exec',
      container.name,
      '--',
      'sh',
      '-c',
      'readlink /proc/self/ns/net; cat /etc/hosts',
    ]);
    expect(seen).toContain(await container.must('readlink', ['/proc/self/ns/net']));
    expect(seen).toMatch(new RegExp(`^\\d.*\\b${container.name} www$`, 'm'));
    expect(readdirSync(path.join(host.dir, 'run')).filter((name) => name.startsWith('exec-'))).toEqual([]);
    const stopped = await host.tsnet(['stop', container.name]);
    expect(stopped.status).toBe(1);
    expect(stopped.stderr).toContain('disconnect');
    await host.mustTsnet(['disconnect', 'web', container.name]);
  });
});

describe('ps', () => {
  it('lists sandboxes as docker ps lists containers', async () => {
    const id = await host.mustTsnet(['run', '-d', '--name', 'web', '-p', '8080:80', '--', 'sleep', '1000']);
    const [header, row] = (await host.mustTsnet(['ps'])).split('\n');
    expect(header?.split(/ {2,}/)).toEqual(['SANDBOX ID', 'NAME', 'COMMAND', 'CREATED', 'STATUS', 'NETWORKS', 'PORTS']);
    expect(row).toMatch(
      new RegExp(`^${id.slice(0, 12)} +web +"sleep 1000" +.* ago +Up .* bridge +0\\.0\\.0\\.0:8080->80/tcp`),
    );
    expect(await host.mustTsnet(['ps', '-q'])).toBe(id.slice(0, 12));
    expect(await host.mustTsnet(['ps', '-q', '--no-trunc'])).toBe(id);
    expect(JSON.parse(await host.mustTsnet(['ps', '--format', 'json']))).toMatchObject({
      Name: 'web',
      Networks: 'bridge',
    });
    await host.mustTsnet(['stop', '-t', '0', 'web']);
  });
});

describe('many sandboxes', () => {
  it('none holds the namespace of another', async () => {
    await detached(['--name', 'first'], ['sleep', '1000']);
    await detached(['--name', 'second'], ['sleep', '1000']);
    const mounts = await host.mustTsnet(['exec', 'second', '--', 'cat', '/proc/self/mountinfo']);
    expect(mounts).not.toContain(`${host.dir}/run/netns`);
    await host.mustTsnet(['stop', '-t', '0', 'first', 'second']);
    await allGone();
  });

  it('come and go at once', async () => {
    writeFileSync(path.join(host.dir, 'daemon.json'), '{}');
    const names = Array.from({ length: 8 }, (_, index) => `box${index}`);
    await Promise.all(names.map((name) => detached(['--name', name], ['sleep', '1000'])));
    expect((await host.mustTsnet(['ps', '-q'])).split('\n')).toHaveLength(8);
    await host.mustTsnet(['stop', '-t', '0', ...names]);
    await allGone();
    await until(() => processes(host.dir).size === 0);
  });
});
