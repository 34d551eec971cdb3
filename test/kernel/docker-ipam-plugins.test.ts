import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until, type Host, type Lab } from '../support/lab.ts';
import { PluginStage } from './plugin-stage.ts';

let stage: PluginStage;
let host: Host;
let lab: Lab;

beforeEach(async () => {
  stage = new PluginStage();
  ({ host, lab } = stage);
  await stage.start();
});
afterEach(() => {
  stage.close();
});

const GATEWAY = { RequestAddressType: 'com.docker.network.gateway' };
const NOTHING = { networks: 0, endpoints: 0, leases: 0, pending: 0 };

/** What the plugin gave and did not get back. */
function outstanding(): string[] {
  const held = new Set<string>();
  for (const { method, request } of stage.calls()) {
    const { PoolID, Pool, Address } = request as Readonly<Record<string, string>>;
    if (method.endsWith('.RequestPool')) held.add(`pool TestLocal/${Pool === '' ? '10.77.0.0/24' : (Pool ?? '')}`);
    if (method.endsWith('.ReleasePool')) held.delete(`pool ${PoolID ?? ''}`);
    if (method.endsWith('.ReleaseAddress')) held.delete(`address ${Address ?? ''}`);
  }
  return [...held];
}

describe('a network whose addresses a Docker IPAM plugin gives', () => {
  it('gets its subnet and gateway from the plugin, and gives them back', async () => {
    await host.mustTsnet(['create', '--ipam-driver', 'weaver', '--ipam-opt', 'zone=a', 'lan']);
    expect(stage.asked()).toEqual(['Activate', 'GetDefaultAddressSpaces', 'RequestPool', 'RequestAddress']);
    expect(stage.requestsOf('RequestPool')).toEqual([
      { AddressSpace: 'TestLocal', Pool: '', SubPool: '', Options: { zone: 'a' }, V6: false },
    ]);
    expect(stage.requestsOf('RequestAddress')).toEqual([
      { PoolID: 'TestLocal/10.77.0.0/24', Address: '', Options: GATEWAY },
    ]);
    const shown = JSON.parse(await host.mustTsnet(['inspect', '--format', '{{json .IPAM}}', 'lan'])) as unknown;
    expect(shown).toMatchObject({
      Driver: 'weaver',
      Options: { zone: 'a' },
      Config: [{ Subnet: '10.77.0.0/24', Gateway: '10.77.0.1' }],
    });
    await host.mustTsnet(['rm', 'lan']);
    expect(stage.asked().slice(-2)).toEqual(['ReleaseAddress', 'ReleasePool']);
    expect(outstanding()).toEqual([]);
  });

  it('asks for what was given, of both families', async () => {
    await host.mustTsnet([
      ...['create', '--ipam-driver', 'weaver', '--ipv6', '--subnet', '10.6.0.0/24', '--gateway', '10.6.0.254'],
      ...['--ip-range', '10.6.0.128/25', '--aux-address', 'router=10.6.0.9', '--subnet', 'fd06::/64', 'lan'],
    ]);
    expect(stage.requestsOf('RequestPool')).toMatchObject([
      { Pool: '10.6.0.0/24', SubPool: '10.6.0.128/25', V6: false },
      { Pool: 'fd06::/64', SubPool: '', V6: true },
    ]);
    expect(stage.requestsOf('RequestAddress').map(({ Address }) => Address)).toEqual(['10.6.0.254', '10.6.0.9', '']);
    await host.mustTsnet(['rm', 'lan']);
    expect(outstanding()).toEqual([]);
  });

  it('gives containers the addresses of the plugin, which is told their MAC first', async () => {
    await host.mustTsnet(['create', '--ipam-driver', 'weaver', 'lan']);
    const [a, b] = [lab.namespace('a'), lab.namespace('b')];
    await host.mustTsnet(['connect', 'lan', a.path]);
    await host.mustTsnet(['connect', '--ip', '10.77.0.7', 'lan', b.path]);
    expect(await a.must('ip', ['-o', 'address', 'show', 'dev', 'eth0'])).toContain('inet 10.77.0.100/24');
    expect(await b.must('ip', ['-o', 'address', 'show', 'dev', 'eth0'])).toContain('inet 10.77.0.7/24');
    const mac = /link\/ether (\S+)/.exec(await a.must('ip', ['link', 'show', 'eth0']))?.[1];
    expect(stage.requestsOf('RequestAddress')[1]).toEqual({
      PoolID: 'TestLocal/10.77.0.0/24',
      Address: '',
      Options: { 'com.docker.network.endpoint.macaddress': mac },
    });
    expect((await a.run('ping', ['-c', '1', '-W', '2', '10.77.0.7'])).status).toBe(0);
    expect(await host.mustTsnet(['diff'])).toBe('');
    await host.mustTsnet(['disconnect', 'lan', a.path]);
    expect(stage.requestsOf('ReleaseAddress')).toEqual([{ PoolID: 'TestLocal/10.77.0.0/24', Address: '10.77.0.100' }]);
    await host.mustTsnet(['connect', 'lan', a.path]);
    expect(await a.must('ip', ['-o', 'address', 'show', 'dev', 'eth0'])).toContain('inet 10.77.0.100/24');
  });

  it('gives the address back when a container has ended', async () => {
    await host.mustTsnet(['create', '--ipam-driver', 'weaver', 'lan']);
    await host.mustTsnet(['run', '--network', 'lan', '--', 'true']);
    await until(async () => {
      await host.mustTsnet(['gc']);
      return stage.requestsOf('ReleaseAddress').length === 1;
    });
    expect(await stage.counts()).toEqual({ ...NOTHING, networks: 1 });
  });

  it('works with a network driver of the same plugin', async () => {
    await host.mustTsnet(['create', '-d', 'weaver', '--ipam-driver', 'weaver', 'lan']);
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', 'lan', container.path]);
    expect(await container.must('ip', ['-o', 'address', 'show', 'dev', 'eth0'])).toContain('inet 10.77.0.100/24');
    expect((await container.run('ping', ['-c', '1', '-W', '2', '10.77.0.1'])).status).toBe(0);
  });

  it('is not made by a dry run, which gives everything back', async () => {
    await host.mustTsnet(['create', '--dry-run', '--ipam-driver', 'weaver', 'lan']);
    expect(outstanding()).toEqual([]);
    expect(await stage.counts()).toEqual(NOTHING);
  });
});

describe('when a Docker IPAM plugin', () => {
  it('is not there, create says which there are', async () => {
    const { status, stderr } = await host.tsnet(['create', '--ipam-driver', 'waever', 'lan']);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr:
        'tsnet: create network lan: there is no IPAM driver "waever"; did you mean "weaver"? drivers: default, dhcp, weaver\n',
    });
  });

  it.each([
    ['refuses a pool', { fail: { RequestPool: 'no space left' } }, /plugin weaver: RequestPool: no space left/, 0],
    ['refuses the gateway', { fail: { RequestAddress: 'taken' } }, /plugin weaver: RequestAddress: taken/, 1],
    [
      'answers nonsense',
      { answer: { RequestPool: { Pool: 'many' } } },
      /it gave the pool "many", which is no subnet/,
      1,
    ],
    ['has but a taken subnet', { answer: { RequestPool: { Pool: '172.17.0.0/24' } } }, /172\.17\.0\.0\/16 overlaps/, 1],
  ])('%s, there is no network, and the pool goes back', async (_what, behaviour, message, released) => {
    // The default network is on record from here on, and its subnet taken.
    await host.mustTsnet(['ls']);
    stage.behave(behaviour);
    const { status, stderr } = await host.tsnet(['create', '--ipam-driver', 'weaver', 'lan']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^tsnet: create network lan: /);
    expect(stderr).toMatch(message);
    expect(await stage.counts()).toEqual(NOTHING);
    expect(stage.requestsOf('ReleasePool')).toHaveLength(released);
  });

  it('refuses an address, nothing is left of the container', async () => {
    await host.mustTsnet(['create', '--ipam-driver', 'weaver', 'lan']);
    stage.behave({ fail: { RequestAddress: 'full' } });
    const container = lab.namespace('c');
    const { status, stderr } = await host.tsnet(['connect', 'lan', container.path]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/connect .* to lan: plugin weaver: RequestAddress: full/);
    expect(await stage.counts()).toEqual({ ...NOTHING, networks: 1 });
  });

  it('gives an address and the container cannot be attached, the address goes back', async () => {
    await host.mustTsnet(['create', '--ipam-driver', 'weaver', 'lan']);
    const [web, other] = [lab.namespace('web'), lab.namespace('other')];
    await host.mustTsnet(['connect', '-p', '8080:80', 'lan', web.path]);
    const { status, stderr } = await host.tsnet(['connect', '-p', '8080:80', 'lan', other.path]);
    expect(status).toBe(1);
    expect(stderr).toContain('tcp port 8080 is published by');
    expect(stage.requestsOf('ReleaseAddress').map(({ Address }) => Address)).toEqual(['10.77.0.101']);
  });

  it('has died, disconnect says so, and -f lets the container go', async () => {
    await host.mustTsnet(['create', '--ipam-driver', 'weaver', 'lan']);
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', 'lan', container.path]);
    await stage.kill();
    const { status, stderr } = await host.tsnet(['disconnect', 'lan', container.path]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/its IPAM plugin weaver is not there; start or install it/);
    await host.mustTsnet(['disconnect', '-f', 'lan', container.path]);
    expect(await stage.counts()).toEqual({ ...NOTHING, networks: 1 });
  });
});
