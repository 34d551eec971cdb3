/** Names of the outside, asked for inside containers. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { must, until, type Namespace } from '../support/lab.ts';
import { dig, NameStage } from '../support/name-stage.ts';
import { knows, soa, startNameserver, type Behaviour, type Nameserver } from '../support/nameserver.ts';

let stage: NameStage;
const closers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  stage = new NameStage();
  await stage.engine.createNetwork({ name: 'web' });
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await stage.close();
});

/** A nameserver on the host, on its loopback unless told otherwise. */
async function nameserver(address: string, behave: Behaviour, netns?: string): Promise<Nameserver> {
  const server = await startNameserver({ address, ...(netns === undefined ? {} : { netns }) }, behave);
  closers.push(() => server.close());
  return server;
}

describe('what is asked of the host’s nameserver', () => {
  it('is asked from the host’s namespace, even on its loopback, once for as long as the answer says', async () => {
    const upstream = await nameserver('127.0.0.2', knows('203.0.113.7'));
    stage.nameservers('127.0.0.2');
    const asker = await stage.container('asker', 'web');
    const [one, two] = [await dig(asker, 'www.Example.org'), await dig(asker, 'WWW.example.org', 'A', '+tcp')];
    expect([one.answers, two.answers]).toEqual([['203.0.113.7'], ['203.0.113.7']]);
    // As each asked it.
    expect(one.text).toContain('www.Example.org.');
    expect(two.text).toContain('WWW.example.org.');
    expect(upstream.asked).toEqual(['A www.Example.org']);
    expect(upstream.questions[0]?.from).toBe('127.0.0.1');

    expect((await dig(asker, 'www.example.org', 'MX')).status).toBe('NOERROR');
    await dig(asker, 'www.example.org', 'MX');
    expect(upstream.asked.slice(1)).toEqual(['MX www.example.org']);
    expect(stage.results).toEqual(['forwarded', 'cached', 'forwarded', 'cached']);
  });

  it('passes as it is: types that we know nothing of, EDNS, "no such name", and a bare name that is not ours', async () => {
    const upstream = await nameserver('127.0.0.2', ({ name, type }) =>
      type === 'UNKNOWN_65' || type === 'TXT'
        ? { answers: [{ type: 'TXT', name, ttl: 9, data: 'as it is' }] }
        : { rcode: 3, authorities: [soa('org', 5)] },
    );
    stage.nameservers('127.0.0.2');
    const asker = await stage.container('asker', 'web');
    expect((await dig(asker, 'x.org', 'TYPE65')).text).toContain('"as it is"');
    expect(await dig(asker, 'x.org')).toMatchObject({ status: 'NXDOMAIN' });
    expect(await dig(asker, 'printer')).toMatchObject({ status: 'NXDOMAIN' });
    await asker.run('dig', ['@127.0.0.11', '+dnssec', '+bufsize=4000', '+cookie=0123456789abcdef', 'y.org', 'TXT']);
    const query = upstream.questions.at(-1)?.bytes ?? Buffer.alloc(0);
    expect(query.includes(Buffer.from('0123456789abcdef', 'hex'))).toBe(true);
    expect(upstream.asked).toEqual(['UNKNOWN_65 x.org', 'A x.org', 'A printer', 'TXT y.org']);
  });

  it('is fetched over TCP when the answer is large, and handed out as the asker can take it', async () => {
    const many = Array.from({ length: 200 }, (_, index) => `198.51.100.${index}`);
    const upstream = await nameserver('127.0.0.2', ({ name, transport }) =>
      transport === 'udp'
        ? { truncated: true }
        : { answers: many.map((data) => ({ type: 'A', name, ttl: 60, data }) as const) },
    );
    stage.nameservers('127.0.0.2');
    const asker = await stage.container('asker', 'web');
    expect((await dig(asker, 'big.org', 'A', '+ignore')).flags).toContain('tc');
    expect((await dig(asker, 'big.org')).answers).toHaveLength(200);
    expect(upstream.questions.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
  });

  it('follows the host’s resolv.conf as it changes', async () => {
    await nameserver('127.0.0.2', knows('203.0.113.2'));
    await nameserver('127.0.0.3', knows('203.0.113.3'));
    stage.nameservers('127.0.0.2');
    const asker = await stage.container('asker', 'web');
    expect((await dig(asker, 'x.org')).answers).toEqual(['203.0.113.2']);
    stage.nameservers('127.0.0.3');
    await until(async () => (await dig(asker, 'x.org')).answers[0] === '203.0.113.3', 2000);
    stage.nameservers();
    await until(async () => (await dig(asker, 'x.org')).status === 'SERVFAIL', 2000);
  });

  it('is not asked for containers on internal networks alone', async () => {
    const upstream = await nameserver('127.0.0.2', knows('203.0.113.7'));
    stage.nameservers('127.0.0.2');
    await stage.engine.createNetwork({ name: 'inner', internal: true });
    const inside = await stage.container('inside', 'inner');
    const both = await stage.container('both', 'inner', 'web');
    expect((await dig(inside, 'x.org')).status).toBe('SERVFAIL');
    expect(upstream.asked).toEqual([]);
    expect((await dig(inside, both.shown)).answers).toHaveLength(1);
    expect((await dig(both, 'x.org')).answers).toEqual(['203.0.113.7']);
  });

  it('does not wait for one that is silent, and remembers', async () => {
    const silent = await nameserver('127.0.0.2', () => undefined);
    const refusing = await nameserver('127.0.0.3', () => ({ rcode: 5 }));
    const well = await nameserver('127.0.0.4', knows('203.0.113.4'));
    stage.nameservers('127.0.0.2', '127.0.0.3', '127.0.0.4');
    const asker = await stage.container('asker', 'web');
    const started = performance.now();
    expect((await dig(asker, 'a.org')).answers).toEqual(['203.0.113.4']);
    // The C library would have waited for five seconds.
    expect(performance.now() - started).toBeLessThan(2500);
    expect([silent.asked.length, refusing.asked.length, well.asked.length]).toEqual([1, 1, 1]);
    await dig(asker, 'b.org');
    expect(silent.asked).toHaveLength(1);
  });

  it('is asked on behalf of one container only so often at a time', async () => {
    const upstream = await nameserver('127.0.0.2', () => undefined);
    stage.nameservers('127.0.0.2');
    const greedy = await stage.container('greedy', 'web');
    const modest = await stage.container('modest', 'web');
    const flood = greedy.start(process.execPath, ['-e', FLOOD]);
    await until(() => stage.results.includes('refused'), 10_000);
    upstream.behave = knows('203.0.113.7');
    expect((await dig(modest, 'quiet.org')).answers).toEqual(['203.0.113.7']);
    flood.kill('SIGKILL');
  });
});

/** Asks for one name after the other, and does not wait. */
const FLOOD = `
  const socket = require('node:dgram').createSocket('udp4');
  let count = 0;
  setInterval(() => {
    for (let burst = 0; burst < 20; burst += 1, count += 1) {
      const name = 'n' + count;
      const label = Buffer.concat([Buffer.of(name.length), Buffer.from(name), Buffer.from([3, 111, 114, 103, 0, 0, 1, 0, 1])]);
      socket.send(Buffer.concat([Buffer.from('000101000001000000000000', 'hex'), label]), 53, '127.0.0.11');
    }
  }, 10);
`;

describe('a sandbox of tsnet run', () => {
  /** A name as a program of the sandbox finds it, by the C library and its resolv.conf. */
  const getent = async (name: string): Promise<string | undefined> => {
    const { status, stdout } = await stage.tsnet('exec', 'box', '--', 'getent', 'ahostsv4', name);
    return status === 0 ? stdout.split(/\s/, 1)[0] : undefined;
  };
  const resolvConf = async (): Promise<string> =>
    (await stage.tsnet('exec', 'box', '--', 'cat', '/etc/resolv.conf')).stdout;
  const start = async (...options: readonly string[]): Promise<void> => {
    const { status, stderr } = await stage.tsnet('run', '-d', '--name', 'box', ...options, '--', 'sleep', '600');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    await stage.names.sync();
  };

  it('asks us first, and the nameservers behind us at once while nobody serves', async () => {
    // Its bridge's address, so that the sandbox reaches it by itself too.
    await start('--network', 'web');
    const upstream = await nameserver('172.18.0.1', knows('203.0.113.1', 0));
    stage.nameservers('172.18.0.1');
    await stage.names.sync();
    expect(await resolvConf()).toMatch(/^nameserver 127\.0\.0\.11\nnameserver 172\.18\.0\.1\noptions ndots:0\n/m);
    const other = await stage.container('other', 'web');
    expect(await getent(other.shown)).toMatch(/^172\.18\./);
    expect(await getent('up.org')).toBe('203.0.113.1');
    expect(upstream.questions.at(-1)?.from).toBe('172.18.0.1');

    await stage.names.close();
    const started = performance.now();
    expect(await getent('down.org')).toBe('203.0.113.1');
    expect(performance.now() - started).toBeLessThan(3000);
    expect(upstream.questions.at(-1)?.from).toMatch(/^172\.18\.0\.[^1]/);

    stage.names = stage.openNames();
    await stage.names.sync();
    expect(await getent(other.shown)).toMatch(/^172\.18\./);
    expect(await getent('again.org')).toBe('203.0.113.1');
    expect(upstream.questions.at(-1)?.from).toBe('172.18.0.1');
  });

  it('is served along with those that share its network', async () => {
    await start('--network', 'web');
    const other = await stage.container('other', 'web');
    const sharing = ['run', '--network', 'container:box', '--', 'getent', 'ahostsv4', other.shown];
    expect((await stage.tsnet(...sharing)).stdout).toMatch(/^172\.18\./);
    expect(stage.names.serving()).toBe(2);
  });

  it('has its resolv.conf kept up to date in place, until somebody inside edits it', async () => {
    stage.nameservers('198.51.100.1');
    await start('--network', 'web', '--dns-search', 'shop.test');
    const inode = async (): Promise<string> =>
      (await stage.tsnet('exec', 'box', '--', 'stat', '-c', '%i', '/etc/resolv.conf')).stdout;
    const before = await inode();
    expect(await resolvConf()).toContain('nameserver 127.0.0.11\nnameserver 198.51.100.1\nsearch shop.test\n');
    stage.nameservers('198.51.100.2');
    await stage.names.sync();
    expect(await resolvConf()).toContain('nameserver 127.0.0.11\nnameserver 198.51.100.2\nsearch shop.test\n');
    expect(await inode()).toBe(before);
    await stage.tsnet('exec', 'box', '--', 'sh', '-c', 'echo nameserver 10.8.0.1 >/etc/resolv.conf');
    stage.nameservers('198.51.100.3');
    await stage.names.sync();
    expect(await resolvConf()).toBe('nameserver 10.8.0.1\n');
  });

  it('asks nameservers of its own from inside', async () => {
    const lan: Namespace = stage.lab.namespace('lan');
    await must('ip', ['link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'far', 'netns', lan.name]);
    await must('ip', ['link', 'set', 'uplink', 'up']);
    await lan.must('ip', ['link', 'set', 'far', 'up']);
    await lan.must('ip', ['address', 'add', '192.168.88.1/24', 'dev', 'far']);
    // The host itself has no way there; the sandbox's macvlan has.
    await stage.engine.createNetwork({
      name: 'lan',
      driver: 'macvlan',
      options: { parent: 'uplink' },
      ipam: [{ subnet: '192.168.88.0/24', range: '192.168.88.64/26', gateway: '192.168.88.1' }],
    });
    const big = Array.from({ length: 60 }, (_, index) => `198.51.100.${index}`);
    const inside = await nameserver(
      '192.168.88.1',
      ({ name, transport }) =>
        name.startsWith('big') && transport === 'udp'
          ? { truncated: true }
          : {
              answers: (name.startsWith('big') ? big : big.slice(7, 8)).map(
                (data) => ({ type: 'A', name, ttl: 60, data }) as const,
              ),
            },
      lan.path,
    );
    const hosts = await nameserver('127.0.0.2', knows('203.0.113.7'));
    stage.nameservers('127.0.0.2');
    await start('--network', 'lan', '--dns', '192.168.88.1');
    expect(await getent('mine.org')).toBe('198.51.100.7');
    expect(inside.questions[0]?.from).toBe('192.168.88.64');
    const { stdout } = await stage.tsnet('exec', 'box', '--', 'dig', '@127.0.0.11', '+short', '+tcp', 'big.org');
    expect(stdout.trim().split('\n')).toHaveLength(60);
    expect(hosts.asked).toEqual([]);
    expect(stage.complaints).toEqual([]);
  });

  it('knows the names before its first process does', async () => {
    // What the daemon does between making a sandbox and answering that it is made.
    const { sandbox } = await stage.engine.createSandbox({
      name: 'early',
      command: ['true'],
      attach: [{ network: 'web' }],
    });
    await stage.names.sync(new Set([sandbox.id]));
    const { writeSandboxFiles, sandboxFolder } = await import('../../src/launch/sandbox-files.ts');
    const { endpoints } = await stage.engine.inspectSandbox('early');
    const files = writeSandboxFiles(
      sandboxFolder(`${stage.dir}/run`, sandbox.id),
      { name: 'early', endpoints },
      { dns: [], dnsSearch: [], dnsOpts: [] },
    );
    expect(await must('cat', [files['/etc/resolv.conf'] ?? ''])).toContain('nameserver 127.0.0.11');
    await stage.engine.removeSandbox('early');
  });
});
