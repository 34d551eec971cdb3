/** `run --network none`, `host` and `container:…`: sandboxes whose namespace holds nothing, is the host's, or is another's. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lab, until, type Host } from '../support/lab.ts';

const FETCH = path.resolve(import.meta.dirname, '../support/fetch.js');
const WHO_ASKS = path.resolve(import.meta.dirname, '../support/who-asks.js');
const NODE = process.execPath;

let lab: Lab;
let host: Host;
beforeEach(() => {
  lab = new Lab();
  host = lab.host();
});
afterEach(async () => {
  for (const name of (await host.tsnet(['ps', '--format', '{{.Name}}'])).stdout.split('\n').filter(Boolean)) {
    await host.tsnet(['stop', '-t', '0', name]);
  }
  lab.close();
});

const sleep = ['--', 'sleep', '1000'];
const run = (name: string, network: string, ...rest: string[]): Promise<string> =>
  host.mustTsnet(['run', '-d', '--name', name, '--network', network, ...(rest.length > 0 ? rest : sleep)]);
const inside = (name: string, ...command: string[]): Promise<string> =>
  host.mustTsnet(['exec', name, '--', ...command]);
const refusal = async (...args: string[]): Promise<string> => {
  const { status, stderr } = await host.tsnet(args);
  expect(status).not.toBe(0);
  return stderr;
};

/** What is left of sandboxes on the host. */
function leftovers(): string[] {
  return ['netns', 'sandboxes'].flatMap((folder) => {
    try {
      return readdirSync(path.join(host.dir, 'run', folder));
    } catch {
      return [];
    }
  });
}

describe('none', () => {
  it('is a namespace with nothing but loopback, which can be connected later', async () => {
    await run('alone', 'none');
    expect(await inside('alone', 'sh', '-c', 'ip -o link | cut -d: -f2')).toBe('lo');
    expect(await refusal('connect', 'none', 'alone')).toMatch(
      /connect alone to none: a container on it has no interfaces/,
    );
    expect(await host.mustTsnet(['ps', '--format', '{{.Networks}}'])).toBe('none');
    await host.mustTsnet(['create', 'web']);
    await host.mustTsnet(['connect', '-p', '8080:80', 'web', 'alone']);
    expect(await inside('alone', 'ip', '-o', '-4', 'address', 'show', 'dev', 'eth0')).toContain('172.18.0.2/16');
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('stands alone', async () => {
    await host.mustTsnet(['create', 'web']);
    expect(await refusal('run', '--network', 'none', '--network', 'web', '--', 'true')).toMatch(/leave web away/);
    expect(await refusal('run', '--network', 'none', '-p', '80:80', '--', 'true')).toMatch(
      /ports cannot be given.*no addresses/,
    );
    expect(leftovers()).toEqual([]);
  });
});

describe('host', () => {
  it("is the host's own namespace: its links, its ports, its resolv.conf", async () => {
    await host.must('ip', ['link', 'add', 'mine0', 'type', 'veth', 'peer', 'name', 'mine1']);
    await run('web', 'host', '--', NODE, WHO_ASKS, '8080');
    expect(await inside('web', 'readlink', '/proc/self/ns/net')).toBe(
      await host.must('readlink', ['/proc/self/ns/net']),
    );
    expect(await inside('web', 'ip', '-o', 'link')).toContain('mine0');
    expect(await inside('web', 'cat', '/etc/resolv.conf')).toBe(readFileSync('/etc/resolv.conf', 'utf8').trim());
    await until(async () => (await host.run(NODE, [FETCH, 'http://127.0.0.1:8080/'])).status === 0);
    expect(await host.mustTsnet(['ps', '--format', '{{.Networks}}'])).toBe('host');
    expect(await host.mustTsnet(['diff'])).toBe('');

    // Its end is the end of its own processes, not of everybody on the host.
    const bystander = host.start('sleep', ['1000']);
    await host.mustTsnet(['stop', '-t', '1', 'web']);
    expect((await host.run(NODE, [FETCH, 'http://127.0.0.1:8080/'])).status).not.toBe(0);
    expect(bystander.exitCode).toBeNull();
    expect(bystander.signalCode).toBeNull();
    expect(leftovers()).toEqual([]);
  });

  it('publishes nothing and is connected to nothing', async () => {
    expect(await refusal('run', '--network', 'host', '-p', '80:80', '--', 'true')).toMatch(
      /run on host: ports cannot be given: a process on the host network listens on the host's ports itself/,
    );
    expect(await refusal('run', '--network', 'host', '--ip', '172.17.0.9', '--', 'true')).toMatch(/ip cannot be given/);
    await run('web', 'host');
    expect(await refusal('connect', 'bridge', 'web')).toMatch(/connect web: it runs in the host's own namespace/);
    const box = lab.namespace('box');
    expect(await refusal('connect', 'host', box.path)).toMatch(/it is the host's own namespace/);
  });

  it('is left without a trace when its processes are killed', async () => {
    await run('web', 'host');
    const mounts = await inside('web', 'readlink', '/proc/self/ns/mnt');
    const killed = `for p in /proc/[0-9]*; do [ "$(readlink $p/ns/mnt)" = '${mounts}' ] && kill -9 "\${p#/proc/}"; done; true`;
    await host.must('sh', ['-c', killed]);
    await until(async () => (await host.mustTsnet(['ps', '-q'])) === '');
    expect(leftovers()).toEqual([]);
  });
});

describe('container:', () => {
  it("is the other's namespace: one loopback, one set of ports, one pair of files", async () => {
    await run('web', 'bridge', '--', NODE, WHO_ASKS, '80');
    await run('side', 'container:web');
    await until(
      async () => (await host.tsnet(['exec', 'side', '--', NODE, FETCH, 'http://127.0.0.1:80/'])).status === 0,
    );
    expect(await inside('side', 'readlink', '/proc/self/ns/net')).toBe(
      await inside('web', 'readlink', '/proc/self/ns/net'),
    );
    const second = await host.tsnet(['run', '--network', 'container:side', '--', NODE, WHO_ASKS, '80']);
    expect(second.stderr).toMatch(/EADDRINUSE/);

    // The one's connects are the other's.
    await host.mustTsnet(['create', 'extra']);
    await host.mustTsnet(['connect', 'extra', 'web']);
    expect(await inside('side', 'ip', '-o', '-4', 'address')).toContain('172.18.0.2/16');
    expect(await inside('side', 'cat', '/etc/hosts')).toContain('172.18.0.2');
    expect(await inside('side', 'cat', '/etc/resolv.conf')).toBe(await inside('web', 'cat', '/etc/resolv.conf'));
    expect(await host.mustTsnet(['ps', '--format', '{{.Name}} {{.Networks}}'])).toBe(
      'side container:web\nweb bridge,extra',
    );
    expect(await host.mustTsnet(['diff'])).toBe('');
  });

  it('refuses what belongs to the owner, by name', async () => {
    await run('web', 'bridge');
    await run('side', 'container:web');
    const cannot = /cannot be given: its network is that of web; give them to web/;
    expect(await refusal('run', '--network', 'container:web', '-p', '80:80', '--', 'true')).toMatch(cannot);
    expect(await refusal('run', '--network', 'container:web', '--ip', '172.17.0.9', '--', 'true')).toMatch(cannot);
    expect(await refusal('run', '--network', 'container:web', '--dns', '1.1.1.1', '--', 'true')).toMatch(/--dns/);
    await host.mustTsnet(['create', 'extra']);
    for (const verb of ['connect', 'disconnect']) {
      expect(await refusal(verb, 'extra', 'side')).toMatch(/side.*: its network is that of web; change that one/);
    }
    expect(await refusal('publish', 'bridge', 'side', '80:80')).toMatch(/its network is that of web/);
    expect(await refusal('run', '--network', 'container:nobody', '--', 'true')).toMatch(/container nobody not found/);
    expect(await refusal('run', '--network', 'container:', '--', 'true')).toMatch(/name a container/);
  });

  it('keeps the namespace until the last that shares it is gone', async () => {
    await run('web', 'bridge', '-p', '8080:80', ...sleep);
    await run('one', 'container:web', '--', NODE, WHO_ASKS, '80');
    await run('two', 'container:one');
    await host.mustTsnet(['stop', '-t', '0', 'web']);
    expect(await host.mustTsnet(['ps', '--format', '{{.Name}} {{.Status}}'])).toMatch(
      /web Ended, its network kept by (one, two|two, one)/,
    );
    await until(async () => (await host.run(NODE, [FETCH, 'http://172.17.0.1:8080/'])).status === 0);
    expect(await host.mustTsnet(['gc'])).toBe('');
    expect(await host.mustTsnet(['diff'])).toBe('');
    await host.mustTsnet(['stop', '-t', '0', 'one']);
    expect(await inside('two', 'ip', '-o', '-4', 'address', 'show', 'dev', 'eth0')).toContain('172.17.0.2/16');
    await host.mustTsnet(['stop', '-t', '0', 'two']);
    expect(await host.mustTsnet(['ps', '-q'])).toBe('');
    expect(leftovers()).toEqual([]);
    expect(await host.must('ip', ['-o', 'link', 'show', 'type', 'veth'])).toBe('');
  });

  it('counts right after kill -9 of everything', async () => {
    await run('web', 'bridge');
    await run('side', 'container:web');
    const pids = async (): Promise<string[]> =>
      (await host.run('sh', ['-c', 'pgrep -f "sleep 1000|tsnet-supervisor|tsnet-undertaker" || true'])).stdout
        .split('\n')
        .filter(Boolean);
    const netns = await inside('web', 'readlink', '/proc/self/ns/net');
    const mine: string[] = [];
    for (const pid of await pids()) {
      const where = (await host.run('readlink', [`/proc/${pid}/ns/net`])).stdout.trim();
      const args = (await host.run('sh', ['-c', `tr '\\0' ' ' </proc/${pid}/cmdline`])).stdout;
      if (where === netns || args.includes(host.dir)) mine.push(pid);
    }
    expect(mine.length).toBeGreaterThanOrEqual(4);
    await host.run('kill', ['-9', ...mine]);
    await host.mustTsnet(['gc']);
    expect(await host.mustTsnet(['ps', '-q'])).toBe('');
    expect(leftovers()).toEqual([]);
  });

  it('shares the namespace of a process, of a path, of a container that tsnet only knows by its path', async () => {
    const box = lab.namespace('box');
    const inode = await box.must('readlink', ['/proc/self/ns/net']);
    const seen = (reference: string): Promise<string> =>
      host.mustTsnet(['run', '--network', `container:${reference}`, '--', 'readlink', '/proc/self/ns/net']);
    expect(await seen(`netns:${box.name}`)).toBe(inode);
    expect(await seen(box.path)).toBe(inode);
    const process = box.start('sleep', ['1000']);
    await until(
      async () => (await host.run('readlink', [`/proc/${String(process.pid)}/ns/net`])).stdout.trim() === inode,
    );
    expect(await seen(`pid:${String(process.pid)}`)).toBe(inode);
    await host.mustTsnet(['connect', 'bridge', box.path]);
    expect(await seen(box.path)).toBe(inode);
    expect(await host.mustTsnet(['run', '--network', `container:${box.name}`, '--', 'cat', '/etc/hosts'])).toContain(
      '172.17.0.2',
    );
    expect(await host.mustTsnet(['diff'])).toBe('');
  });
});
