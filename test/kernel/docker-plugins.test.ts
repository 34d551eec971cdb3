import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TSNET, until, type Host, type Lab } from '../support/lab.ts';
import { PluginStage, SOCKET } from './plugin-stage.ts';

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

const NOTHING = { endpoints: 0, leases: 0, pending: 0 };

describe('a network of a Docker plugin', () => {
  it('is made by the plugin, with the subnets and options that were given', async () => {
    await host.mustTsnet([
      'create',
      '-d',
      'weaver',
      '--subnet',
      '10.5.0.0/24',
      '--aux-address',
      'router=10.5.0.9',
      '-o',
      'colour=red',
      'lan',
    ]);
    expect(stage.asked()).toEqual(['Activate', 'GetCapabilities', 'CreateNetwork']);
    expect(stage.calls()[2]?.request).toMatchObject({
      NetworkID: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      Options: {
        'com.docker.network.generic': { colour: 'red' },
        'com.docker.network.enable_ipv4': true,
        'com.docker.network.enable_ipv6': false,
      },
      IPv4Data: [{ Pool: '10.5.0.0/24', Gateway: '10.5.0.1/24', AuxAddresses: { router: '10.5.0.9/24' } }],
      IPv6Data: [],
    });
    expect(await host.mustTsnet(['ls', '--format', '{{.Name}} {{.Driver}} {{.Scope}}'])).toContain('lan weaver local');
    expect(await host.mustTsnet(['diff'])).toBe('');
    await host.mustTsnet(['rm', 'lan']);
    expect(stage.asked().at(-1)).toBe('DeleteNetwork');
    expect(await stage.links()).not.toContain('pb');
  });

  it('gives containers the link that the plugin made, and they reach each other and the gateway', async () => {
    await host.mustTsnet([
      'create',
      '-d',
      'weaver',
      '--subnet',
      '10.5.0.0/24',
      '--ipv6',
      '--subnet',
      'fd05::/64',
      'lan',
    ]);
    const [a, b] = [lab.namespace('a'), lab.namespace('b')];
    await host.mustTsnet(['connect', '--mac-address', '02:00:00:00:00:77', 'lan', a.path]);
    await host.mustTsnet(['connect', 'lan', b.path]);
    const shown = await a.must('ip', ['-o', 'address', 'show', 'dev', 'eth0']);
    expect(shown).toContain('inet 10.5.0.2/24');
    expect(shown).toContain('inet6 fd05::2/64');
    expect(await a.must('ip', ['link', 'show', 'eth0'])).toContain('link/ether 02:00:00:00:00:77');
    expect(await a.must('ip', ['route', 'show', 'default'])).toMatch(/^default via 10\.5\.0\.1 dev eth0/);
    for (const to of ['10.5.0.1', '10.5.0.3', 'fd05::3']) {
      expect((await a.run('ping', ['-c', '1', '-W', '2', to])).status).toBe(0);
    }
    const join = stage.calls().find(({ method }) => method === 'NetworkDriver.Join');
    expect(join?.request).toMatchObject({ SandboxKey: a.path, EndpointID: expect.any(String) as string });
    const create = stage.calls().find(({ method }) => method === 'NetworkDriver.CreateEndpoint');
    expect(create?.request).toMatchObject({
      Interface: { Address: '10.5.0.2/24', AddressIPv6: 'fd05::2/64', MacAddress: '02:00:00:00:00:77' },
    });
    expect(await host.mustTsnet(['diff'])).toBe('');
    await host.mustTsnet(['disconnect', 'lan', a.path]);
    expect(stage.asked().slice(-2)).toEqual(['Leave', 'DeleteEndpoint']);
    expect(readFileSync(`${host.dir}/leave.log`, 'utf8')).toMatch(/^pc[0-9a-f]{8} is back\n$/);
    expect(await a.must('ip', ['-o', 'link'])).not.toContain('eth0');
    expect((await stage.links()).match(/pc[0-9a-f]{8}/g)).toBeNull();
    await host.mustTsnet(['disconnect', 'lan', b.path]);
  });

  it('gets the routes that the plugin asks for', async () => {
    stage.behave({
      answer: {
        Join: {
          StaticRoutes: [
            { Destination: '192.0.2.0/24', RouteType: 0, NextHop: '10.5.0.1' },
            { Destination: '198.51.100.0/24', RouteType: 1 },
          ],
        },
      },
    });
    await host.mustTsnet(['create', '-d', 'weaver', '--subnet', '10.5.0.0/24', 'lan']);
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', 'lan', container.path]);
    const routes = await container.must('ip', ['route']);
    expect(routes).toMatch(/192\.0\.2\.0\/24 via 10\.5\.0\.1 dev eth0/);
    expect(routes).toMatch(/198\.51\.100\.0\/24 dev eth0/);
  });

  it('is allocated first, and freed last, where the plugin is of global scope', async () => {
    stage.behave({ scope: 'global' });
    await host.mustTsnet(['create', '-d', 'weaver', '--subnet', '10.5.0.0/24', 'lan']);
    await host.mustTsnet(['rm', 'lan']);
    expect(stage.asked().filter((method) => method.endsWith('Network'))).toEqual([
      'AllocateNetwork',
      'CreateNetwork',
      'DeleteNetwork',
      'FreeNetwork',
    ]);
    expect(stage.calls().find(({ method }) => method.endsWith('CreateNetwork'))?.request).toMatchObject({
      Options: { 'com.docker.network.generic': { vni: '4097' } },
    });
  });

  it('is repaired with a new link when somebody deletes it', async () => {
    await host.mustTsnet(['create', '-d', 'weaver', '--subnet', '10.5.0.0/24', 'lan']);
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', 'lan', container.path]);
    await container.must('ip', ['link', 'delete', 'eth0']);
    const drift = await host.tsnet(['diff']);
    expect(drift.status).toBe(2);
    expect(drift.stdout).toMatch(/missing .* link eth0 of plugin weaver/);
    await host.mustTsnet(['repair']);
    expect(await host.mustTsnet(['diff'])).toBe('');
    expect((await container.run('ping', ['-c', '1', '-W', '2', '10.5.0.1'])).status).toBe(0);
  });

  it('lets containers go whose namespace ended', async () => {
    await host.mustTsnet(['create', '-d', 'weaver', '--subnet', '10.5.0.0/24', 'lan']);
    await host.mustTsnet(['run', '--network', 'lan', '--', 'true']);
    await until(async () => (await host.tsnet(['gc'])).status === 0 && stage.asked().includes('DeleteEndpoint'));
    expect(await stage.counts()).toMatchObject(NOTHING);
    expect(await stage.links()).not.toMatch(/p[hc][0-9a-f]{8}/);
  });

  it('refuses published ports, saying whose matter they are', async () => {
    await host.mustTsnet(['create', '-d', 'weaver', '--subnet', '10.5.0.0/24', 'lan']);
    const { stderr } = await host.tsnet(['connect', '-p', '8080:80', 'lan', lab.namespace('c').path]);
    expect(stderr).toMatch(/Docker plugin weaver's, which publishes by means of its own/);
  });
});

describe('when a Docker plugin', () => {
  it('refuses to make a network, there is none', async () => {
    stage.behave({ fail: { CreateNetwork: 'out of colours' } });
    const { status, stderr } = await host.tsnet(['create', '-d', 'weaver', 'lan']);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'tsnet: create network lan: plugin weaver: CreateNetwork: out of colours\n',
    });
    expect(await host.mustTsnet(['ls', '-q'])).not.toContain('lan');
    expect(await stage.counts()).toMatchObject(NOTHING);
  });

  const failures: [string, unknown, RegExp][] = [
    ['refuses an endpoint', { fail: { CreateEndpoint: 'full' } }, /plugin weaver: CreateEndpoint: full/],
    ['refuses a join', { fail: { Join: 'not now' } }, /plugin weaver: Join: not now/],
    ['dies while it makes an endpoint', { die: ['CreateEndpoint'] }, /CreateEndpoint: .*gave no answer/],
    ['dies in the middle of a join', { die: ['Join'] }, /Join: .*gave no answer/],
    [
      'dies after a join that cannot be used',
      { dieAfter: ['Join'], answer: { Join: { Gateway: '10.5.0.254' } } },
      /wants the gateway 10\.5\.0\.254/,
    ],
    [
      'names a link that is not there',
      { answer: { Join: { InterfaceName: { SrcName: 'ghost' } } } },
      /the link ghost that it named is not there/,
    ],
    ['names no link', { answer: { Join: { InterfaceName: {} } } }, /it named no link/],
    [
      'wants another gateway',
      { answer: { Join: { Gateway: '10.5.0.254' } } },
      /wants the gateway 10\.5\.0\.254 and the network's is 10\.5\.0\.1/,
    ],
  ];
  it.each(failures)('%s, nothing is left of it', async (_what, behaviour, message) => {
    await host.mustTsnet(['create', '-d', 'weaver', '--subnet', '10.5.0.0/24', 'lan']);
    const container = lab.namespace('c');
    const before = (await stage.links()).match(/ p[bhc]\w+/g);
    stage.behave(behaviour);
    const { status, stderr } = await host.tsnet(['connect', 'lan', container.path]);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(await stage.counts()).toMatchObject(NOTHING);
    expect(await container.must('ip', ['-o', 'link'])).not.toContain('eth0');
    const left = (await stage.links()).match(/ p[bhc]\w+/g);
    expect(left).toEqual(before);
  });

  it('is not running, its networks are the only ones in trouble', async () => {
    await host.mustTsnet(['create', '-d', 'weaver', '--subnet', '10.5.0.0/24', 'lan']);
    const [a, b] = [lab.namespace('a'), lab.namespace('b')];
    await host.mustTsnet(['connect', 'lan', a.path]);
    await stage.kill();
    expect(await host.mustTsnet(['ls', '--format', '{{.Name}}'])).toContain('lan');
    await host.mustTsnet(['connect', 'bridge', b.path]);
    expect(await host.mustTsnet(['diff'])).toBe('');
    const { status, stderr } = await host.tsnet(['disconnect', 'lan', a.path]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/use Docker plugin weaver: it is not in \/run\/docker\/plugins, .*; start or install it/);
  });

  it('has died as has a container of it, all else goes on without waiting for it', async () => {
    await host.mustTsnet(['create', '-d', 'weaver', '--subnet', '10.5.0.0/24', 'lan']);
    const [a, b, c] = [lab.namespace('a'), lab.namespace('b'), lab.namespace('c')];
    await host.mustTsnet(['connect', 'lan', a.path]);
    await host.mustTsnet(['connect', 'bridge', b.path]);
    await stage.kill('socket');
    for (const { name } of [a, b]) await host.must('ip', ['netns', 'delete', name]);
    // The namespace of a veth goes some time after its file.
    const collected = await until(async () => {
      const { stdout } = await host.tsnet(['gc']);
      return stdout.includes(`sandbox   ${a.name}`) && stdout;
    });
    expect(collected).toMatch(/could not be removed: .*nobody listens at .*weaver\.sock/);
    await host.mustTsnet(['connect', 'bridge', c.path]);
    await host.tsnet(['gc']);
    expect(await stage.counts()).toMatchObject({ endpoints: 2 });
    await stage.start();
    await until(async () => (await host.tsnet(['gc'])).status === 0 && (await stage.counts())['endpoints'] === 1);
  });

  it('comes back from a crash without memory, its containers can go', async () => {
    await host.mustTsnet(['create', '-d', 'weaver', '--subnet', '10.5.0.0/24', 'lan']);
    const container = lab.namespace('c');
    await host.mustTsnet(['connect', 'lan', container.path]);
    await stage.kill();
    await stage.start();
    await host.mustTsnet(['disconnect', 'lan', container.path]);
    expect(await stage.counts()).toMatchObject(NOTHING);
    await host.mustTsnet(['rm', 'lan']);
  });

  it('is asked by a tsnet that is killed meanwhile, the next one undoes it', async () => {
    await host.mustTsnet(['create', '-d', 'weaver', '--subnet', '10.5.0.0/24', 'lan']);
    const container = lab.namespace('c');
    stage.behave({ hang: ['Join'] });
    const connecting = host.start(process.execPath, [TSNET, 'connect', 'lan', container.path], { env: host.env });
    await until(() => stage.asked().includes('Join'));
    connecting.kill('SIGKILL');
    await until(() => connecting.signalCode !== null);
    expect(await stage.counts()).toMatchObject({ endpoints: 1, pending: 1 });
    stage.behave({});
    await host.mustTsnet(['gc']);
    expect(stage.asked().slice(-2)).toEqual(['Leave', 'DeleteEndpoint']);
    expect(await stage.counts()).toMatchObject(NOTHING);
  });
});

it('info and create name Docker plugins among the drivers', async () => {
  expect(await host.mustTsnet(['info'])).toContain(`weaver (local, Docker plugin ${SOCKET})`);
  const { stderr } = await host.tsnet(['create', '-d', 'waever', 'lan']);
  expect(stderr).toMatch(/there is no driver "waever"; did you mean "weaver"\?; drivers: bridge, .*weaver/);
});
