/** Docker's messages to use cases and back, without a socket. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { DockerPluginEngine } from '../../../../src/engine/docker-plugin/engine.ts';
import { TsnetError } from '../../../../src/model/error.ts';
import type { Endpoint } from '../../../../src/model/records.ts';
import { ipamMethods } from '../../../../src/runtimes/docker/ipam-methods.ts';
import { networkMethods } from '../../../../src/runtimes/docker/network-methods.ts';
import { buildPluginServer } from '../../../../src/runtimes/docker/plugin-server.ts';

const ID = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);
const ENDPOINT: Endpoint = {
  version: 1,
  id: OTHER,
  networkId: ID,
  sandboxId: OTHER,
  interfaceName: 'eth0',
  hostLink: 'vethbbbbbbbbbbb',
  mac: '02:42:0a:00:00:02',
  addresses: [{ address: '10.0.0.2/24', gateway: '10.0.0.1' }],
  aliases: [],
  gatewayPriority: 0,
  ordinal: 0,
  ports: [],
  driverOptions: {},
  handOver: { link: 'tsifbbbbbbbbbbb', stage: 'taken' },
  createdAt: '2026-01-01T00:00:00.000000000Z',
  state: 'attached',
};

type Calls = [method: string, ...args: unknown[]][];

/** An engine that notes what it is asked, and answers as told. */
function noting(calls: Calls, answers: Partial<Record<keyof DockerPluginEngine, unknown>> = {}): DockerPluginEngine {
  const answer: Record<string, unknown> = {
    createNetwork: [],
    reserveEndpoint: ENDPOINT,
    endpoint: ENDPOINT,
    join: { endpoint: ENDPOINT, link: 'tsifbbbbbbbbbbb', interfacePrefix: 'eth' },
    requestPool: { id: 'tsnet+10.0.0.0-24', subnet: '10.0.0.0/24' },
    requestAddress: '10.0.0.2/24',
    ...answers,
  };
  return new Proxy({} as DockerPluginEngine, {
    get:
      (_engine, method: string) =>
      (...args: unknown[]): Promise<unknown> => {
        calls.push([method, ...args]);
        const value = answer[method];
        return value instanceof Error ? Promise.reject(value) : Promise.resolve(value);
      },
  });
}

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
});

async function plugin(answers: Parameters<typeof noting>[1] = {}) {
  const [calls, warnings]: [Calls, string[]] = [[], []];
  const engine = noting(calls, answers);
  const app = await buildPluginServer({
    methods: {
      ...networkMethods({ engine, warn: (text) => warnings.push(text), onMade: () => undefined }),
      ...ipamMethods(engine),
    },
    onError: () => undefined,
  });
  opened.push(app);
  const post = async (method: string, body: unknown): Promise<{ status: number; body: unknown }> => {
    const payload = typeof body === 'string' ? body : JSON.stringify(body);
    const { statusCode, json } = await app.inject({ method: 'POST', url: `/${method}`, payload });
    return { status: statusCode, body: json() };
  };
  return { post, calls, warnings };
}

describe('the network driver of Docker', () => {
  it('makes networks of whichever driver -o names, with Docker’s subnets', async () => {
    const { post, calls } = await plugin();
    const made = await post('NetworkDriver.CreateNetwork', {
      NetworkID: ID,
      Options: {
        'com.docker.network.enable_ipv6': true,
        'com.docker.network.generic': { driver: 'macvlan', parent: 'eth0', name: 'lan' },
      },
      IPv4Data: [
        {
          AddressSpace: 'TsnetLocal',
          Pool: '10.0.0.0/24',
          Gateway: '10.0.0.1/24',
          AuxAddresses: { nas: '10.0.0.9/24' },
        },
      ],
      IPv6Data: [{ AddressSpace: 'LocalDefault', Pool: 'fd00::/64', Gateway: 'fd00::1/64' }],
    });
    expect(made).toEqual({ status: 200, body: {} });
    expect(calls).toEqual([
      [
        'createNetwork',
        {
          id: ID,
          name: 'lan',
          driver: 'macvlan',
          internal: false,
          enableIPv6: true,
          options: { parent: 'eth0' },
          pools: [
            { subnet: '10.0.0.0/24', gateway: '10.0.0.1', aux: { nas: '10.0.0.9' }, isOurs: true },
            { subnet: 'fd00::/64', gateway: 'fd00::1', aux: {}, isOurs: false },
          ],
        },
      ],
    ]);
  });

  it('is a bridge unless -o driver names another', async () => {
    const { post, calls } = await plugin();
    await post('NetworkDriver.CreateNetwork', { NetworkID: ID, Options: null, IPv4Data: [], IPv6Data: null });
    expect(calls[0]?.[1]).toMatchObject({ driver: 'bridge', internal: false, enableIPv6: false, pools: [] });
  });

  it('gives an endpoint a MAC where Docker has given it none, and nothing that Docker has given', async () => {
    const { post } = await plugin();
    const bare = { NetworkID: ID, EndpointID: OTHER, Interface: { Address: '10.0.0.2/24' } };
    expect((await post('NetworkDriver.CreateEndpoint', bare)).body).toEqual({
      Interface: { MacAddress: '02:42:0a:00:00:02' },
    });
    const full = { ...bare, Interface: { Address: '10.0.0.2/24', MacAddress: '02:42:0a:00:00:02' } };
    expect((await post('NetworkDriver.CreateEndpoint', full)).body).toEqual({ Interface: {} });
  });

  it('hands Docker a link, its prefix, and the way out', async () => {
    const { post } = await plugin();
    const join = { NetworkID: ID, EndpointID: OTHER, SandboxKey: '/var/run/docker/netns/abc', Options: {} };
    expect((await post('NetworkDriver.Join', join)).body).toEqual({
      InterfaceName: { SrcName: 'tsifbbbbbbbbbbb', DstPrefix: 'eth' },
      Gateway: '10.0.0.1',
      GatewayIPv6: '',
      StaticRoutes: [],
      DisableGatewayService: false,
    });
  });

  it('keeps Docker from finding another way out where there is none, or none with a next hop', async () => {
    const joined = async (address: Endpoint['addresses'][number]): Promise<unknown> => {
      const endpoint = { ...ENDPOINT, addresses: [address] };
      const { post } = await plugin({ join: { endpoint, link: 'l', interfacePrefix: 'eth' } });
      return (await post('NetworkDriver.Join', { NetworkID: ID, EndpointID: OTHER, SandboxKey: '/x' })).body;
    };
    expect(await joined({ address: '10.0.0.2/24' })).toMatchObject({ Gateway: '', DisableGatewayService: true });
    expect(await joined({ address: '10.0.0.2/24', onLink: true })).toMatchObject({
      StaticRoutes: [{ Destination: '0.0.0.0/0', RouteType: 1 }],
      DisableGatewayService: false,
    });
  });

  it('publishes what Docker asks for, and tells where a network publishes nothing', async () => {
    const program = {
      NetworkID: ID,
      EndpointID: OTHER,
      Options: { 'com.docker.network.portmap': [{ Proto: 6, Port: 80, HostPort: 8080, HostPortEnd: 8080 }] },
    };
    const { post, calls } = await plugin();
    await post('NetworkDriver.ProgramExternalConnectivity', program);
    expect(calls).toEqual([['publish', { networkId: ID, endpointId: OTHER, ports: ['8080:80/tcp'] }]]);
    const macvlan = await plugin({ publish: 'containers have addresses of their own' });
    expect(await macvlan.post('NetworkDriver.ProgramExternalConnectivity', program)).toEqual({ status: 200, body: {} });
    expect(macvlan.warnings).toEqual(['ports 8080:80/tcp are not published: containers have addresses of their own']);
  });

  it('wants no gateway of Docker’s for networks on a LAN', async () => {
    const { post } = await plugin();
    const check = (driver: string) =>
      post('NetworkDriver.GwAllocCheck', { Options: { 'com.docker.network.generic': { driver } } });
    expect((await check('macvlan')).body).toEqual({ SkipIPv4: true, SkipIPv6: true });
    expect((await check('bridge')).body).toEqual({ SkipIPv4: false, SkipIPv6: false });
  });
});

describe('the IPAM driver of Docker', () => {
  it('holds subnets and addresses', async () => {
    const { post, calls } = await plugin();
    expect(
      (await post('IpamDriver.RequestPool', { AddressSpace: 'TsnetLocal', Pool: '', SubPool: '', V6: false })).body,
    ).toEqual({
      PoolID: 'tsnet+10.0.0.0-24',
      Pool: '10.0.0.0/24',
      Data: {},
    });
    const gateway = {
      PoolID: 'p',
      Address: '',
      Options: { RequestAddressType: 'com.docker.network.gateway' },
    };
    expect((await post('IpamDriver.RequestAddress', gateway)).body).toEqual({ Address: '10.0.0.2/24', Data: {} });
    await post('IpamDriver.RequestAddress', { PoolID: 'p', Address: '10.0.0.7', Options: null });
    await post('IpamDriver.ReleaseAddress', { PoolID: 'p', Address: '10.0.0.7' });
    await post('IpamDriver.ReleasePool', { PoolID: 'p' });
    expect(calls).toEqual([
      ['requestPool', { family: 4 }],
      ['requestAddress', { poolId: 'p', isGateway: true }],
      ['requestAddress', { poolId: 'p', address: '10.0.0.7', isGateway: false }],
      ['releaseAddress', 'p', '10.0.0.7'],
      ['releasePool', 'p'],
    ]);
  });
});

describe('what goes wrong', () => {
  it('is one line, in the field of either protocol', async () => {
    const { post } = await plugin({ requestPool: new TsnetError('FORBIDDEN', 'taken by network web\nand more') });
    expect(await post('IpamDriver.RequestPool', {})).toEqual({
      status: 200,
      body: { Err: 'taken by network web', Error: 'taken by network web' },
    });
  });

  it('is a method that is not there, which Docker may do without', async () => {
    const { post } = await plugin();
    expect(await post('NetworkDriver.Nonsense', {})).toMatchObject({ status: 404 });
  });

  it('is never what Docker sends: whatever it is, it is answered, and nothing is asked of the engine with a bad id', async () => {
    const { post, calls } = await plugin();
    const methods = [
      'CreateNetwork',
      'CreateEndpoint',
      'Join',
      'Leave',
      'DeleteEndpoint',
      'ProgramExternalConnectivity',
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          ...methods.map((name) => `NetworkDriver.${name}`),
          'IpamDriver.RequestPool',
          'IpamDriver.RequestAddress',
        ),
        fc.oneof(
          fc.string(),
          fc.json(),
          fc
            .record({ NetworkID: fc.anything(), EndpointID: fc.anything(), Options: fc.anything() })
            .map((value) => JSON.stringify(value)),
        ),
        async (method, body) => {
          const { status, body: answer } = await post(method, body);
          expect(status).toBe(200);
          expect(answer).toBeTypeOf('object');
        },
      ),
      { numRuns: 300 },
    );
    expect(calls.filter(([method]) => method !== 'requestPool' && method !== 'requestAddress')).toEqual([]);
  });
});
