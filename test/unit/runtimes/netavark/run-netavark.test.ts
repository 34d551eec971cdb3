import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openAardvark } from '../../../../src/runtimes/netavark/aardvark.ts';
import { runNetavark, type NetavarkHost } from '../../../../src/runtimes/netavark/run-netavark.ts';
import { makeFakeEngine, type FakeEngine } from '../../cli/fake-engine.ts';

interface Call {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly engine: FakeEngine;
}

/** One call, with nothing of this machine in it. */
async function call(argv: readonly string[], input: string, given: Partial<NetavarkHost> = {}): Promise<Call> {
  const engine = makeFakeEngine();
  const written = { stdout: '', stderr: '' };
  const status = await runNetavark(argv, {
    env: {},
    programName: 'netavark',
    tsnetVersion: '1.2.3',
    read: (file) => (file === undefined ? Promise.resolve(input) : Promise.reject(new Error(`no ${file}`))),
    write: (text) => (written.stdout += text),
    writeError: (text) => (written.stderr += text),
    exists: (path) => path.startsWith('/run/netns/'),
    openEngine: () => Promise.resolve({ engine, isDaemon: false }),
    uplink: () => undefined,
    openAardvark: (place) => openAardvark({ ...place, locked: (_file, work) => work() }),
    ...given,
  });
  return { status, ...written, engine };
}

const NETWORK = {
  name: 'web',
  id: 'a'.repeat(64),
  driver: 'bridge',
  network_interface: 'podman1',
  subnets: [{ subnet: '10.89.0.0/24', gateway: '10.89.0.1' }],
  ipv6_enabled: false,
  internal: false,
  dns_enabled: true,
  ipam_options: { driver: 'host-local' },
};
const REQUEST = {
  container_id: 'c1',
  container_name: 'c1',
  port_mappings: [{ host_ip: '', host_port: 8080, container_port: 80, protocol: 'tcp', range: 1 }],
  networks: { web: { interface_name: 'eth0', static_ips: ['10.89.0.2'], aliases: ['www'] } },
  network_info: { web: NETWORK },
};

/** Exactly one JSON document, or nothing. */
function documents(stdout: string): number {
  if (stdout === '') return 0;
  JSON.parse(stdout);
  expect(stdout.endsWith('\n') && !stdout.slice(0, -1).includes('\n')).toBe(true);
  return 1;
}

/** A copy with one member, anywhere, replaced or taken away. */
const damaged = fc
  .record({ where: fc.nat(), with: fc.oneof(fc.jsonValue(), fc.constant(undefined)) })
  .map(({ where, with: replacement }) => {
    let index = 0;
    let target = where;
    const walk = (value: unknown): unknown => {
      if (typeof value !== 'object' || value === null) return value;
      const entries = Object.entries(value).map(([key, member]) => {
        const isHit = index++ === target;
        return [key, isHit ? replacement : walk(member)] as const;
      });
      return Array.isArray(value) ? entries.map(([, member]) => member) : Object.fromEntries(entries);
    };
    walk(REQUEST);
    target = where % index;
    index = 0;
    return JSON.stringify(walk(REQUEST));
  });

describe('a call of netavark', () => {
  it('always ends with a status and at most one JSON document', async () => {
    const word = fc.oneof(
      fc.constantFrom(
        'setup',
        'teardown',
        'create',
        'update',
        'version',
        'info',
        '/run/netns/x',
        'web',
        '-f',
        '--config',
      ),
      fc.constantFrom('--rootless=true', '--aardvark-binary=/run/netns/a', '--network-dns-servers=1.1.1.1', '-r', '-h'),
      fc.string(),
    );
    const input = fc.oneof(fc.string(), fc.json(), damaged);
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 5 }), input, async (argv, text) => {
        const { status, stdout, stderr } = await call(argv, text, { env: { NETAVARK_DNS_PORT: '54' } });
        expect([0, 1, 2]).toContain(status);
        if (argv.some((one) => ['-h', '--help', '-V', '--version'].includes(one))) return;
        expect(documents(stdout)).toBeLessThanOrEqual(1);
        if (status === 1) expect(Object.keys(JSON.parse(stdout) as object)).toEqual(['error']);
        if (status === 2) expect([stdout, stderr === '']).toEqual(['', false]);
      }),
      { numRuns: 500 },
    );
  });

  it('takes a damaged request for what it is, never for a bug', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('setup', 'teardown'), damaged, async (command, text) => {
        const { stdout } = await call([command, '/run/netns/x'], text);
        expect(stdout).not.toContain('bug:');
      }),
      { numRuns: 500 },
    );
  });

  it('finds no way out of its folder by names', async () => {
    for (const name of ['../../etc/cron.d/x', 'a/b', '', '.', 'a b']) {
      const networks = { [name]: REQUEST.networks.web };
      const text = JSON.stringify({ ...REQUEST, networks, network_info: { [name]: { ...NETWORK, name } } });
      expect(await call(['setup', '/run/netns/x'], text)).toMatchObject({
        status: 1,
        stdout: expect.stringContaining('is no name of a network') as string,
      });
    }
    expect(await call(['update', '../x', '--network-dns-servers', '1.1.1.1'], '')).toMatchObject({ status: 1 });
  });

  it('tears down what the ledger does not know, without a namespace', async () => {
    const { status, stdout, engine } = await call(['teardown', '/run/netns/gone'], JSON.stringify(REQUEST), {
      exists: () => false,
    });
    expect([status, stdout]).toEqual([0, '']);
    expect(engine.calls.map(([name]) => name)).not.toContain('detachContainer');
  });

  it('refuses rootless podman and another port for names', async () => {
    expect(await call(['--rootless=true', 'setup', '/run/netns/x'], JSON.stringify(REQUEST))).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('rootless') as string,
    });
    const argv = ['--aardvark-binary=/run/netns/aardvark-dns', 'setup', '/run/netns/x'];
    const env = { NETAVARK_DNS_PORT: '1053' };
    expect((await call(argv, JSON.stringify(REQUEST), { env })).stdout).toContain('dns_bind_port');
  });

  it('answers create with what was left open, of the pools that it is given', async () => {
    const { subnets: _given, network_interface: _link, ...open } = NETWORK;
    const text = JSON.stringify({
      network: { ...open, ipv6_enabled: true },
      used: { interfaces: ['podman0', 'podman1'], names: {}, subnets: ['10.89.0.0/24'] },
      options: { subnet_pools: [{ base: '10.89.0.0/16', size: 24 }], check_used_subnets: true },
    });
    const { status, stdout } = await call(['create'], text);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'web',
      network_interface: 'podman2',
      subnets: [
        { subnet: '10.89.1.0/24', gateway: '10.89.1.1' },
        { subnet: expect.stringMatching(/^fd.*\/64$/) as string },
      ],
      ipv6_enabled: true,
      ipam_options: { driver: 'host-local' },
    });
  });

  it('refuses a subnet that is spoken for', async () => {
    const text = JSON.stringify({ network: NETWORK, used: { interfaces: [], names: {}, subnets: ['10.89.0.0/16'] } });
    expect(await call(['create'], text)).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('10.89.0.0/24') as string,
    });
  });

  it('tells its version', async () => {
    expect(JSON.parse((await call(['version'], '')).stdout)).toMatchObject({ version: '2.1.0', tsnet: '1.2.3' });
    expect((await call(['--version'], '')).stdout).toBe('netavark 2.1.0 (tsnet 1.2.3)\n');
    expect((await call([], '')).status).toBe(2);
    expect(JSON.parse((await call([], '', { programName: 'tsnet' })).stdout)).toEqual({
      version: '1.2.3',
      api_version: '1.0.0',
    });
  });
});
