import { describe, expect, it } from 'vitest';
import { checkApiVersion } from '../../../src/daemon/http/docker/api-version.ts';
import { routedPath, versionInPath } from '../../../src/daemon/http/docker/docker-path.ts';
import { parseFilters } from '../../../src/daemon/http/docker/filters.ts';
import { inspectJson } from '../../../src/daemon/http/docker/network-answers.ts';
import { connectRequest, createRequest } from '../../../src/daemon/http/docker/network-bodies.ts';
import { poolUsage } from '../../../src/engine/pool-usage.ts';
import type { DockerNetwork } from '../../../src/engine/docker-network.ts';

describe('a path', () => {
  it.each([
    ['GET', '/v1.41/networks', '/networks'],
    ['GET', '/networks?filters={}', '/networks?filters={}'],
    ['GET', '/v1.41/networks/a/b', '/networks/a%2Fb'],
    ['GET', '/networks/a/connect', '/networks/a%2Fconnect'],
    ['POST', '/v1.55/networks/a/b/connect', '/networks/a%2Fb/connect'],
    ['POST', '/networks/create', '/networks/create'],
    ['DELETE', '/networks/a/b/', '/networks/a%2Fb'],
    ['GET', '/containers/json', '/containers/json'],
    ['GET', '/containers/a/b/json', '/containers/a%2Fb/json'],
    ['GET', '/v1.41/tsnet/v1/networks', '/v1.41/tsnet/v1/networks'],
    ['GET', '/tsnet/v1/networks/a', '/tsnet/v1/networks/a'],
  ])('%s %s is routed as %s', (method, url, routed) => {
    expect(routedPath(method, url)).toBe(routed);
  });

  it('names a version, or means the newest', () => {
    expect(versionInPath('/v1.41/networks?x=/v1.50/')).toBe('1.41');
    expect(versionInPath('/networks')).toBe('1.55');
  });

  it.each(['1.39', '1.56', '1.24', '2.0', '0.99', '1', '1.4.1'])('version %s is refused', (version) => {
    expect(() => {
      checkApiVersion(version);
    }).toThrow(/is too (old|new)/);
  });
});

describe('filters', () => {
  it('come in two forms', () => {
    expect(parseFilters('{"driver":{"bridge":true,"macvlan":true},"label":["a=b"]}')).toEqual({
      driver: ['bridge', 'macvlan'],
      label: ['a=b'],
    });
    expect(parseFilters(undefined)).toEqual({});
  });

  it.each(['{', '[]', 'null', '1', '{"a":1}', '{"a":[1]}'])('%s is refused', (text) => {
    expect(() => parseFilters(text)).toThrow('invalid filter');
  });
});

/** As docker CLI 28 sends it. */
const TYPED = {
  Name: 'web',
  Driver: 'bridge',
  Scope: '',
  IPAM: {
    Driver: 'default',
    Options: {},
    Config: [{ Subnet: '10.0.0.0/24', Gateway: '10.0.0.1', AuxiliaryAddresses: { nas: '10.0.0.9' } }],
  },
  Internal: false,
  Attachable: false,
  Ingress: false,
  ConfigOnly: false,
  ConfigFrom: null,
  Options: {},
  Labels: { a: 'b' },
};

describe('a network to create', () => {
  it('becomes a request of the engine', () => {
    expect(createRequest(TYPED, '1.50')).toEqual({
      name: 'web',
      driver: 'bridge',
      ipam: [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1', aux: { nas: '10.0.0.9' } }],
      ipamDriver: 'default',
      ipamOptions: {},
      internal: false,
      attachable: false,
      options: {},
      labels: { a: 'b' },
    });
    expect(createRequest({ Name: 'web' }, '1.41')).toEqual({ name: 'web' });
  });

  it('heeds EnableIPv4 from 1.48 on', () => {
    expect(createRequest({ Name: 'web', EnableIPv4: false }, '1.47')).toEqual({ name: 'web' });
    expect(createRequest({ Name: 'web', EnableIPv4: false }, '1.48')).toEqual({ name: 'web', enableIPv4: false });
  });

  it('of a swarm, or of configuration only, is refused', () => {
    expect(() => createRequest({ Name: 'x', Scope: 'swarm' }, '1.55')).toThrow('not a swarm manager');
    expect(() => createRequest({ Name: 'x', Ingress: true }, '1.55')).toThrow('not a swarm manager');
    expect(() => createRequest({ Name: 'x', ConfigOnly: true }, '1.55')).toThrow('configuration-only');
    expect(() => createRequest({ Name: 'x', ConfigFrom: { Network: 'y' } }, '1.55')).toThrow('configuration-only');
  });
});

describe('a connection', () => {
  const EndpointConfig = {
    IPAMConfig: { IPv4Address: '10.0.0.7', IPv6Address: '', LinkLocalIPs: null },
    Links: null,
    Aliases: ['www'],
    DriverOpts: { 'com.docker.network.endpoint.ifname': 'lan0', other: 'x' },
    GwPriority: 5,
    MacAddress: '02:00:00:00:00:01',
  };

  it('becomes a request of the engine, by version', () => {
    const common = {
      network: 'web',
      container: 'box',
      ip: '10.0.0.7',
      interfaceName: 'lan0',
      aliases: ['www'],
      driverOptions: { other: 'x' },
    };
    expect(connectRequest('web', { Container: 'box', EndpointConfig }, '1.41')).toEqual(common);
    expect(connectRequest('web', { Container: 'box', EndpointConfig }, '1.48')).toEqual({
      ...common,
      gatewayPriority: 5,
    });
    expect(connectRequest('web', { Container: 'box', EndpointConfig }, '1.54')).toEqual({
      ...common,
      gatewayPriority: 5,
      mac: '02:00:00:00:00:01',
    });
    expect(connectRequest('web', { Container: 'box', EndpointConfig: null }, '1.54')).toEqual({
      network: 'web',
      container: 'box',
    });
  });

  it('by links is refused', () => {
    expect(() => connectRequest('web', { Container: 'box', EndpointConfig: { Links: ['a:b'] } }, '1.41')).toThrow(
      'links are not there',
    );
  });
});

describe('how full a subnet is', () => {
  const pool = { subnet: '10.0.0.0/24', range: '10.0.0.128/25', gateway: '10.0.0.1', aux: { nas: '10.0.0.130' } };
  const held = (address: string, kind: 'endpoint' | 'quarantine') => ({
    networkId: 'n',
    address,
    holder: kind === 'endpoint' ? { kind, endpointId: 'e' } : { kind, untilMs: 0 },
  });

  it('counts what is held, in the range and outside', () => {
    const leases = [held('10.0.0.5', 'endpoint'), held('10.0.0.140', 'endpoint'), held('10.0.0.141', 'quarantine')];
    // In use: network, broadcast, gateway, aux, two endpoints. Dynamic: .128 to .254.
    expect(poolUsage([pool], leases)).toEqual([{ subnet: '10.0.0.0/24', dynamic: 127n, free: 125n, inUse: 6n }]);
  });

  it('is told in 64 bits at most', () => {
    const network = { Name: 'six', IPAM: { Config: [{ Subnet: 'fd00::/48', Gateway: 'fd00::1' }] } };
    const json = inspectJson(network as unknown as DockerNetwork, [], '1.52');
    expect(json).toContain('"fd00::/48":{"IPsInUse":2,"DynamicIPsAvailable":18446744073709551615}');
    expect(JSON.parse(json)).toHaveProperty('Status');
    expect(inspectJson(network as unknown as DockerNetwork, [], '1.51')).toBe(JSON.stringify(network));
  });
});
