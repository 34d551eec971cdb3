import { describe, expect, it } from 'vitest';
import bridge from '../../../drivers/bridge/driver.ts';
import { TsnetError } from '../../../src/model/error.ts';
import type { Endpoint, Network } from '../../../src/model/records.ts';
import type { ConfigureInput } from '../../../src/plan/driver.ts';
import { describeResource } from '../../../src/plan/describe.ts';

const ID = 'ab12cd34ef56'.padEnd(64, '0');

function input(
  change: Partial<ConfigureInput['draft']> = {},
  links: ConfigureInput['facts']['links'] = [],
): ConfigureInput {
  return {
    draft: {
      id: ID,
      name: 'web',
      internal: false,
      enableIPv4: true,
      enableIPv6: false,
      pools: [{ subnet: '10.9.0.0/24', gateway: '10.9.0.1', aux: {} }],
      options: {},
      predefined: false,
      ...change,
    },
    networks: [],
    facts: { links, routes: [] },
    defaults: {
      ipForward: true,
      ipMasquerade: true,
      icc: true,
      mtu: 0,
      publishAddress: '0.0.0.0',
      allowDirectRouting: false,
    },
  };
}

function network(configured: ConfigureInput): Network {
  const { draft } = configured;
  return {
    version: 1,
    id: draft.id,
    name: draft.name,
    driver: 'bridge',
    scope: 'local',
    createdAt: '',
    internal: draft.internal,
    attachable: false,
    enableIPv4: draft.enableIPv4,
    enableIPv6: draft.enableIPv6,
    ipamDriver: 'default',
    ipamOptions: {},
    pools: draft.pools,
    options: {},
    labels: {},
    settings: bridge.configure(configured),
    predefined: draft.predefined,
    state: 'active',
  };
}

const plan = (configured: ConfigureInput): string[] => bridge.networkPlan(network(configured)).map(describeResource);

describe('the bridge driver', () => {
  it('plans forwarding, bridge, gateway and rules, in this order', () => {
    expect(plan(input()).map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'sysctl net.ipv4.ip_forward',
      'bridge tsn-ab12cd34ef5',
      'sysctl net.ipv6.conf.tsn-ab12cd34ef5.accept_ra',
      'sysctl net.ipv4.conf.tsn-ab12cd34ef5.route_localnet',
      'address 10.9.0.1/24',
      expect.stringMatching(/^isolat/),
      expect.stringMatching(/^icc|^traffic/),
      expect.stringMatching(/^masquerade/),
      expect.stringMatching(/^hairpin/),
    ]);
  });

  it('gives an internal network no forwarding, no NAT and no way out', () => {
    const kinds = bridge.networkPlan(network(input({ internal: true }))).map(({ kind }) => kind);
    expect(kinds).toContain('internal');
    expect(kinds).not.toContain('masquerade');
    expect(plan(input({ internal: true })).join('\n')).not.toContain('ip_forward');
  });

  it('uses a bridge that exists, with its address, and makes neither', () => {
    const theirs = { name: 'br0', kind: 'bridge', mtu: 1500, up: true, addresses: ['10.9.0.1/24'] };
    const made = bridge.networkPlan(network(input({ options: { 'bridge.name': 'br0' } }, [theirs])));
    expect(made).toContainEqual(expect.objectContaining({ kind: 'bridge', name: 'br0', adopted: true }));
    expect(made.map(({ kind }) => kind)).not.toContain('address');
  });

  it('takes a bridge with our tag for its own, left by a run that was cut off', () => {
    const ours = { name: 'br0', kind: 'bridge', mtu: 1500, up: true, addresses: [], alias: 'tsnet:1' };
    expect(bridge.configure(input({ options: { 'bridge.name': 'br0' } }, [ours]))).toMatchObject({ adopted: false });
  });

  it.each([
    [
      'two subnets of a family',
      input({ pools: ['10.1.0.0/24', '10.2.0.0/24'].map((subnet) => ({ subnet, aux: {} })) }),
    ],
    [
      'a link that is no bridge',
      input({ options: { 'bridge.name': 'lo' } }, [{ name: 'lo', mtu: 65536, up: true, addresses: [] }]),
    ],
    ['gateway mode isolated on an open network', input({ options: { 'bridge.gateway-mode-ipv4': 'isolated' } })],
  ])('refuses %s', (_what, refused) => {
    expect(() => bridge.configure(refused)).toThrow(TsnetError);
  });

  it('plans an endpoint: veth, address, route and ports of the families that it has', () => {
    const endpoint: Endpoint = {
      version: 1,
      id: ID,
      networkId: ID,
      sandboxId: 's',
      interfaceName: 'eth0',
      hostLink: 'vethab',
      mac: '02:42:0a:09:00:02',
      addresses: [{ address: '10.9.0.2/24', gateway: '10.9.0.1' }],
      aliases: [],
      gatewayPriority: 0,
      ordinal: 0,
      ports: [
        { protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80, count: 1 },
        { protocol: 'tcp', hostAddress: '::', hostPort: 8080, containerPort: 80, count: 1 },
      ],
      driverOptions: {},
      createdAt: '',
      state: 'attached',
    };
    const made = bridge.endpointPlan(network(input()), endpoint);
    expect(made.map(({ kind }) => kind)).toEqual(['link-up', 'veth', 'sysctl', 'address', 'route', 'publish']);
    expect(made).toContainEqual(
      expect.objectContaining({ kind: 'publish', family: 4, to: '10.9.0.2', hostPort: 8080 }),
    );
  });
});
