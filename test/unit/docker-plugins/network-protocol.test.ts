import { describe, expect, it } from 'vitest';
import { capabilities, networkPlugin } from '../../../src/docker-plugins/network-protocol.ts';
import type { JsonObject } from '../../../src/model/records.ts';
import type { PluginEndpointResource, PluginNetworkResource } from '../../../src/plan/plugin-resource.ts';
import { fakePlugin } from './fake-plugin.ts';

const network: PluginNetworkResource = {
  kind: 'plugin-network',
  plugin: 'weave',
  networkId: 'n1',
  scope: 'local',
  pools: [
    { subnet: '10.5.0.0/24', gateway: '10.5.0.1', aux: { router: '10.5.0.9' } },
    { subnet: 'fd05::/64', aux: {} },
  ],
  options: { colour: 'red' },
  internal: true,
};

const endpoint: PluginEndpointResource = {
  kind: 'plugin-endpoint',
  plugin: 'weave',
  networkId: 'n1',
  endpointId: 'e1',
  sandbox: 's1',
  link: 'eth0',
  mac: '02:00:00:00:00:01',
  addresses: ['10.5.0.2/24'],
  gateways: ['10.5.0.1'],
  options: { weight: '7' },
  tag: 'tsnet:e1',
};

describe('the remote network driver protocol', () => {
  it('tells a network with its subnets of each family', async () => {
    const { call, asked } = fakePlugin({});
    await networkPlugin(call, 'weave').createNetwork(network);
    expect(asked).toEqual([
      [
        'NetworkDriver.CreateNetwork',
        {
          NetworkID: 'n1',
          Options: {
            'com.docker.network.generic': { colour: 'red' },
            'com.docker.network.enable_ipv4': true,
            'com.docker.network.enable_ipv6': true,
            'com.docker.network.internal': true,
          },
          IPv4Data: [
            {
              AddressSpace: 'LocalDefault',
              Pool: '10.5.0.0/24',
              Gateway: '10.5.0.1/24',
              AuxAddresses: { router: '10.5.0.9/24' },
            },
          ],
          IPv6Data: [{ AddressSpace: 'LocalDefault', Pool: 'fd05::/64', AuxAddresses: {} }],
        },
      ],
    ]);
  });

  it('allocates and frees a network of global scope; a plugin need not know how', async () => {
    const { call, asked } = fakePlugin({
      'NetworkDriver.AllocateNetwork': { Options: { vni: '7' } },
      'NetworkDriver.FreeNetwork': undefined,
    });
    const plugin = networkPlugin(call, 'weave');
    await plugin.createNetwork({ ...network, scope: 'global' });
    await plugin.deleteNetwork({ ...network, scope: 'global' });
    expect(asked.map(([method]) => method)).toEqual([
      'NetworkDriver.AllocateNetwork',
      'NetworkDriver.CreateNetwork',
      'NetworkDriver.DeleteNetwork',
      'NetworkDriver.FreeNetwork',
    ]);
    expect(asked[1]?.[1]).toMatchObject({ Options: { 'com.docker.network.generic': { colour: 'red', vni: '7' } } });
  });

  it('tells an endpoint, and takes addresses only where it gave none', async () => {
    const { call, asked } = fakePlugin({
      'NetworkDriver.CreateEndpoint': { Interface: { Address: '10.5.0.99/24', AddressIPv6: 'fd05::99/64' } },
    });
    expect(await networkPlugin(call, 'weave').createEndpoint(endpoint)).toEqual({ addresses: ['fd05::99/64'] });
    expect(asked[0]?.[1]).toEqual({
      NetworkID: 'n1',
      EndpointID: 'e1',
      Options: { weight: '7' },
      Interface: { Address: '10.5.0.2/24', AddressIPv6: '', MacAddress: '02:00:00:00:00:01' },
    });
  });

  it('reads the link, gateways and routes of a join', async () => {
    const { call, asked } = fakePlugin({
      'NetworkDriver.Join': {
        InterfaceName: { SrcName: 'vxyz', DstPrefix: 'eth' },
        Gateway: '10.5.0.1',
        GatewayIPv6: '',
        StaticRoutes: [
          { Destination: '192.0.2.0/24', RouteType: 0, NextHop: '10.5.0.1' },
          { Destination: '198.51.100.0/24', RouteType: 1 },
        ],
        DisableGatewayService: true,
      },
    });
    expect(await networkPlugin(call, 'weave').join(endpoint, '/run/netns/c')).toEqual({
      sourceLink: 'vxyz',
      gateways: ['10.5.0.1'],
      routes: [{ destination: '192.0.2.0/24', via: '10.5.0.1' }, { destination: '198.51.100.0/24' }],
    });
    expect(asked[0]?.[1]).toMatchObject({ SandboxKey: '/run/netns/c' });
  });

  it('makes do with an empty answer to a join', async () => {
    expect(await networkPlugin(fakePlugin({}).call, 'weave').join(endpoint, '/c')).toEqual({
      gateways: [],
      routes: [],
    });
  });

  it.each<[string, JsonObject]>([
    ['destination', { RouteType: 0, NextHop: '10.5.0.1' }],
    ['next hop', { Destination: '192.0.2.0/24', RouteType: 0 }],
  ])('refuses a route without %s', async (what, route) => {
    const { call } = fakePlugin({ 'NetworkDriver.Join': { StaticRoutes: [route] } });
    await expect(networkPlugin(call, 'weave').join(endpoint, '/c')).rejects.toThrow(`a static route without ${what}`);
  });

  it('says so where a plugin does not know a method that it must', async () => {
    const { call } = fakePlugin({ 'NetworkDriver.Leave': undefined });
    await expect(networkPlugin(call, 'weave').leave(endpoint)).rejects.toThrow(/Leave: it does not know the method/);
  });

  it.each([[{ Scope: 'local' }], [{ Scope: 'global', ConnectivityScope: 'local' }]])(
    'reads the scope of %j',
    async (answer) => {
      const { call } = fakePlugin({ 'NetworkDriver.GetCapabilities': answer });
      expect(await capabilities(call, 'weave')).toEqual({ scope: answer.Scope });
    },
  );

  it.each([[undefined], [{}], [{ Scope: 'swarm' }]])('refuses the capabilities %j', async (answer) => {
    const { call } = fakePlugin({ 'NetworkDriver.GetCapabilities': answer });
    await expect(capabilities(call, 'weave')).rejects.toThrow(/it must be "local" or "global"/);
  });
});
