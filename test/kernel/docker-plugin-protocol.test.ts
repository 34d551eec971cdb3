/** The Docker plugin asked by its protocol, in ways in which Docker seldom does: again, in parallel, after a crash, after a reboot. */
import { rmSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DockerPlugin } from '../support/docker-plugin-process.ts';
import { Lab, must, until, type Host } from '../support/lab.ts';

const SOCKET = '/run/docker/plugins/tsnet.sock';

type Json = Readonly<Record<string, unknown>>;
type Answer = Json & { readonly Err?: string };

function post(method: string, body: Json): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: SOCKET, path: `/${method}`, method: 'POST', agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => {
        resolve(JSON.parse(text) as Answer);
      });
    });
    asking.on('error', reject);
    asking.end(JSON.stringify(body));
  });
}

let counter = 0;
const freshId = (): string => (counter++).toString(16).padStart(4, '0').padEnd(64, 'e');

describe('the Docker plugin', () => {
  const lab = new Lab();
  let host: Host;
  let plugin: DockerPlugin;

  /** What must succeed. */
  const ask = async (method: string, body: Json): Promise<Json> => {
    const answer = await post(method, body);
    if (answer.Err !== undefined) throw new Error(`${method}: ${answer.Err}`);
    return answer;
  };
  const makeNetwork = async (subnet: string, gateway: string): Promise<{ id: string; pool: string }> => {
    const { PoolID } = await ask('IpamDriver.RequestPool', { AddressSpace: 'TsnetLocal', Pool: subnet, V6: false });
    const { Address } = await ask('IpamDriver.RequestAddress', {
      PoolID,
      Address: gateway,
      Options: { RequestAddressType: 'com.docker.network.gateway' },
    });
    const id = freshId();
    const IPv4Data = [{ AddressSpace: 'TsnetLocal', Pool: subnet, Gateway: Address, AuxAddresses: {} }];
    await ask('NetworkDriver.CreateNetwork', { NetworkID: id, Options: {}, IPv4Data, IPv6Data: [] });
    return { id, pool: String(PoolID) };
  };
  const dropNetwork = async ({ id, pool }: { id: string; pool: string }): Promise<void> => {
    await ask('NetworkDriver.DeleteNetwork', { NetworkID: id });
    await ask('IpamDriver.ReleasePool', { PoolID: pool });
  };
  const makeEndpoint = async (network: { id: string; pool: string }): Promise<{ id: string; address: string }> => {
    const { Address } = await ask('IpamDriver.RequestAddress', { PoolID: network.pool, Address: '' });
    const id = freshId();
    await ask('NetworkDriver.CreateEndpoint', { NetworkID: network.id, EndpointID: id, Interface: { Address } });
    return { id, address: String(Address) };
  };
  const join = (network: { id: string }, endpoint: { id: string }, key: string): Promise<Json> =>
    ask('NetworkDriver.Join', { NetworkID: network.id, EndpointID: endpoint.id, SandboxKey: key });
  const drop = async (network: { id: string; pool: string }, { id, address }: { id: string; address: string }) => {
    await ask('NetworkDriver.Leave', { NetworkID: network.id, EndpointID: id });
    await ask('NetworkDriver.DeleteEndpoint', { NetworkID: network.id, EndpointID: id });
    await ask('IpamDriver.ReleaseAddress', { PoolID: network.pool, Address: address.replace(/\/.*/, '') });
  };
  const links = async (): Promise<string[]> =>
    (await host.must('ip', ['-o', 'link'])).match(/(?:veth|tsif)[0-9a-f]+/g) ?? [];

  beforeAll(async () => {
    host = lab.host();
    plugin = new DockerPlugin(host, path.join(host.dir, 'no-docker.sock'));
    await plugin.start();
  });

  afterAll(async () => {
    await plugin.stop();
    lab.close();
  });

  it('lets go of what it does not know, and says in one line what it cannot do without', async () => {
    const ids = { NetworkID: freshId(), EndpointID: freshId() };
    for (const method of ['Leave', 'DeleteEndpoint', 'DeleteNetwork', 'RevokeExternalConnectivity', 'EndpointOperInfo'])
      await ask(`NetworkDriver.${method}`, ids);
    await ask('IpamDriver.ReleasePool', { PoolID: 'nothing' });
    await ask('IpamDriver.ReleaseAddress', { PoolID: 'nothing', Address: '10.0.0.1' });
    expect((await post('NetworkDriver.Join', { ...ids, SandboxKey: '/x' })).Err).toMatch(
      /^join endpoint .*knows no network/,
    );
    expect((await post('IpamDriver.RequestAddress', { PoolID: 'nothing' })).Err).toMatch(/no such pool/);
    expect((await post('IpamDriver.RequestPool', { Pool: '10.0.0.1/24' })).Err).toMatch(/10\.0\.0\.1\/24/);
    expect((await post('IpamDriver.RequestPool', { Pool: 'fd00::/64', V6: false })).Err).toMatch(/no IPv4 subnet/);
  });

  it('holds subnets, gateways and aux addresses over its own end and a reboot', async () => {
    const { PoolID } = await ask('IpamDriver.RequestPool', { Pool: '10.60.0.0/29', V6: false });
    const gateway = { PoolID, Address: '', Options: { RequestAddressType: 'com.docker.network.gateway' } };
    expect(await ask('IpamDriver.RequestAddress', gateway)).toMatchObject({ Address: '10.60.0.1/29' });
    expect(await ask('IpamDriver.RequestAddress', { PoolID, Address: '10.60.0.2' })).toMatchObject({
      Address: '10.60.0.2/29',
    });
    await plugin.stop('SIGKILL');
    rmSync(path.join(host.dir, 'run'), { recursive: true });
    await plugin.start();
    const given = [];
    for (let count = 0; count < 4; count++)
      given.push((await ask('IpamDriver.RequestAddress', { PoolID, Address: '' }))['Address']);
    expect(given.sort()).toEqual(['10.60.0.3/29', '10.60.0.4/29', '10.60.0.5/29', '10.60.0.6/29']);
    expect((await post('IpamDriver.RequestAddress', { PoolID, Address: '' })).Err).toMatch(/no free IPv4 address/);
    expect((await post('IpamDriver.RequestAddress', { PoolID, Address: '10.60.0.2' })).Err).toMatch(
      /Docker has it already/,
    );
    expect((await post('IpamDriver.RequestPool', { Pool: '10.60.0.0/24' })).Err).toMatch(/overlaps/);
    const ours = await host.tsnet(['create', '--subnet', '10.60.0.0/29', 'mine']);
    expect(ours.stderr).toContain('that Docker made with --ipam-driver tsnet');
    await ask('IpamDriver.ReleasePool', { PoolID });
    await host.mustTsnet(['create', '--subnet', '10.60.0.0/29', 'mine']);
    await host.mustTsnet(['rm', 'mine']);
  });

  it('finds subnets by itself that nobody has, of any size that is asked for', async () => {
    const pools = await Promise.all(
      ['', '', '0.0.0.0/26'].map((Pool) => ask('IpamDriver.RequestPool', { Pool, V6: false })),
    );
    const six = await ask('IpamDriver.RequestPool', { Pool: '', V6: true });
    expect(new Set(pools.map(({ Pool }) => Pool)).size).toBe(3);
    expect(pools[2]?.['Pool']).toMatch(/\/26$/);
    expect(six['Pool']).toMatch(/^fd.*\/64$/);
    for (const { PoolID } of [...pools, six]) await ask('IpamDriver.ReleasePool', { PoolID });
  });

  it('serves many at once: no address twice, and nothing left in the end', async () => {
    const network = await makeNetwork('10.61.0.0/24', '10.61.0.1');
    const endpoints = await Promise.all(Array.from({ length: 30 }, () => makeEndpoint(network)));
    expect(new Set(endpoints.map(({ address }) => address)).size).toBe(30);
    await Promise.all(
      endpoints.map((endpoint) => join(network, endpoint, `/run/docker/netns/${endpoint.id.slice(0, 12)}`)),
    );
    expect(await links()).toHaveLength(120);
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
    await Promise.all(endpoints.map((endpoint) => drop(network, endpoint)));
    expect(await links()).toEqual([]);
    await dropNetwork(network);
    expect(await host.mustTsnet(['gc'])).toBe('');
  });

  it('makes a link anew for a second join, and one container of all that join by one key', async () => {
    const [web, db] = [await makeNetwork('10.62.0.0/24', '10.62.0.1'), await makeNetwork('10.63.0.0/24', '10.63.0.1')];
    const [first, second] = [await makeEndpoint(web), await makeEndpoint(db)];
    const indices = async (): Promise<string[]> =>
      (await host.must('ip', ['-o', 'link', 'show', 'type', 'veth'])).match(/^\d+/gm) ?? [];
    await join(web, first, '/run/docker/netns/abcdef');
    const before = await indices();
    await join(web, first, '/run/docker/netns/abcdef');
    expect((await indices()).filter((index) => before.includes(index))).toEqual([]);
    await join(db, second, '/run/docker/netns/abcdef');
    expect(new Set(await links()).size).toBe(4);
    const listed = (await host.mustTsnet(['ps', '--format', '{{.Name}} {{.Networks}}'])).split('\n');
    expect(listed).toHaveLength(1);
    expect(listed[0]?.split(',')).toHaveLength(2);
    const refused = await host.tsnet(['disconnect', listed[0]?.split(/[ ,]/)[1] ?? '', listed[0]?.split(' ')[0] ?? '']);
    expect(refused.stderr).toContain('docker network disconnect');
    await drop(web, first);
    await drop(db, second);
    await dropNetwork(web);
    await dropNetwork(db);
    expect(await links()).toEqual([]);
  });

  it('knows the namespace once it is there, and that a container is dead when it is gone', async () => {
    const network = await makeNetwork('10.64.0.0/24', '10.64.0.1');
    const endpoint = await makeEndpoint(network);
    const name = `${host.name}-c`;
    const { InterfaceName } = (await join(network, endpoint, `/run/netns/${name}`)) as {
      InterfaceName: { SrcName: string };
    };
    // Nothing proves that a container is dead which has not begun.
    expect(await host.mustTsnet(['gc'])).toBe('');
    await must('ip', ['netns', 'add', name]);
    // What Docker does.
    await host.must('ip', ['link', 'set', InterfaceName.SrcName, 'netns', name, 'name', 'eth0', 'up']);
    await must('ip', ['-n', name, 'address', 'add', endpoint.address, 'dev', 'eth0']);
    await until(
      async () => (await host.tsnet(['exec', `docker-${endpoint.id.slice(0, 12)}`, '--', 'true'])).status === 0,
      10_000,
    );
    await must('ip', ['netns', 'exec', name, 'ping', '-c', '1', '-W', '2', '10.64.0.1']);
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
    await must('ip', ['netns', 'delete', name]);
    await until(async () => (await host.mustTsnet(['gc'])).includes('is gone'));
    expect(await host.mustTsnet(['ps', '-q'])).toBe('');
    await drop(network, endpoint);
    await dropNetwork(network);
  });

  it('leaves nothing when it is killed in the middle of a join', async () => {
    const network = await makeNetwork('10.65.0.0/24', '10.65.0.1');
    for (const afterMs of [0, 5, 20]) {
      const endpoint = await makeEndpoint(network);
      const joining = join(network, endpoint, `/run/docker/netns/${endpoint.id.slice(0, 12)}`).catch(() => undefined);
      // No event tells of the middle: the moment of the kill is what is tried, before, within and behind the work in the kernel.
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      await plugin.stop('SIGKILL');
      await joining;
      await plugin.start();
      // Docker gives up, and says so.
      await drop(network, endpoint);
      expect(await links()).toEqual([]);
      expect(await host.mustTsnet(['ps', '-q'])).toBe('');
    }
    await dropNetwork(network);
    expect(await host.mustTsnet(['gc'])).toBe('');
    expect(await host.tsnet(['diff'])).toMatchObject({ status: 0 });
  }, 60_000);

  it('does not serve a socket that another one serves', async () => {
    const other = await host.tsnet(['docker-plugin']);
    expect(other).toMatchObject({ status: 1 });
    expect(other.stderr).toContain(`${SOCKET}: another tsnet serves it already`);
  });
});
