import { describe, expect, it } from 'vitest';
import bridge from '../../../drivers/bridge/driver.ts';
import { planFaults, type PlanOwner } from '../../../src/plan/check-plan.ts';
import type { Resource } from '../../../src/plan/resource.ts';
import { sampleEndpoint, sampleNetwork } from '../../../src/public/samples.ts';

const network = { ...sampleNetwork(bridge), options: { parent: 'eth0', 'bridge.trusted-interfaces': 'wg0:wg1' } };
const endpoint = sampleEndpoint(bridge, network, {
  hostLink: 'veth0',
  ports: [{ protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80, count: 1 }],
});
const place = { sandbox: endpoint.sandboxId };
const veth: Resource = {
  kind: 'veth',
  sandbox: endpoint.sandboxId,
  host: 'veth0',
  peer: 'eth0',
  mtu: 1500,
  mac: endpoint.mac,
  hairpin: false,
  isolated: false,
  tag: `tsnet:${endpoint.id}`,
};
const ofNetwork: PlanOwner = { network };
const ofEndpoint: PlanOwner = { network, endpoint };
const publish = {
  kind: 'publish',
  family: 4,
  bridge: 'veth0',
  protocol: 'tcp',
  hostAddress: '0.0.0.0',
  hostPort: 8080,
  containerPort: 80,
  count: 1,
  to: '10.9.0.10',
  mode: 'nat',
} as const;

describe('a plan that keeps to its own', () => {
  it.each<[string, PlanOwner, unknown]>([
    ['nothing', ofNetwork, []],
    ['a bridge with an address of its subnet', ofNetwork, bridge.networkPlan(network)],
    [
      'a veth, its address, its route, its parameters',
      ofEndpoint,
      [
        { kind: 'link-up', place, link: 'lo' },
        veth,
        { kind: 'address', place: 'host', link: 'veth0', address: '10.9.0.1/32' },
        { kind: 'address', place: 'host', link: 'veth0', address: '169.254.1.1/32' },
        { kind: 'route', place: 'host', family: 4, destination: '10.9.0.10/32', link: 'veth0' },
        { kind: 'route', place, family: 4, destination: '192.0.2.0/24', via: '10.9.0.1', link: 'eth0' },
        { kind: 'sysctl', place: 'host', key: 'net/ipv4/conf/veth0/route_localnet', value: '1', mode: 'set' },
        { kind: 'sysctl', place: 'host', key: 'net/ipv4/ip_forward', value: '1', mode: 'require' },
        { kind: 'sysctl', place, key: 'net/ipv6/conf/eth0/disable_ipv6', value: '1', mode: 'prefer' },
        publish,
      ],
    ],
    ['a link that an option names', ofNetwork, [{ kind: 'link-up', place: 'host', link: 'eth0' }]],
    ['one of several that an option names', ofNetwork, [{ kind: 'link-up', place: 'host', link: 'wg1' }]],
    [
      'a link of its network',
      { ...ofEndpoint, networkPlan: bridge.networkPlan(network) },
      [{ ...veth, master: network.settings['bridge'] }],
    ],
  ])('%s', (_what, owner, plan) => {
    expect(planFaults(plan, owner)).toEqual([]);
  });
});

describe('a plan is refused that has', () => {
  it.each<[string, PlanOwner, unknown, RegExp]>([
    ['no list', ofNetwork, {}, /must be a list/],
    ['a promise', ofNetwork, Promise.resolve([]), /promise/],
    ['what is no resource', ofNetwork, [null], /null is no resource/],
    ['an unknown kind', ofNetwork, [{ kind: 'shell', command: 'rm' }], /no resource kind "shell"/],
    ['a kind of another prototype', ofNetwork, [{ kind: 'constructor' }], /no resource kind/],
    ['an unknown field', ofEndpoint, [{ ...veth, colour: 'red' }], /no field "colour"/],
    ['a field of the wrong type', ofEndpoint, [{ ...veth, mtu: '1500' }], /mtu is "1500": expected a whole number/],
    ['a field missing', ofEndpoint, [{ ...veth, mac: undefined }], /mac is missing/],
    ["a link of somebody else's", ofNetwork, [{ kind: 'link-up', place: 'host', link: 'eth1' }], /eth1 .* not its own/],
    [
      'an address on one',
      ofNetwork,
      [{ kind: 'address', place: 'host', link: 'lo', address: '10.9.0.1/32' }],
      /lo .* not its own/,
    ],
    [
      'a route by one',
      ofNetwork,
      [{ kind: 'route', place: 'host', family: 4, destination: '10.9.0.0/24', link: 'eth9' }],
      /eth9/,
    ],
    ['a veth in a foreign bridge', ofEndpoint, [{ ...veth, master: 'docker0' }], /docker0/],
    [
      "somebody else's bridge, adopted",
      ofNetwork,
      [{ kind: 'bridge', name: 'docker0', mtu: 1500, adopted: true, tag: `tsnet:${network.id}` }],
      /docker0/,
    ],
    [
      'a parameter of a foreign link',
      ofNetwork,
      [{ kind: 'sysctl', place: 'host', key: 'net/ipv4/conf/eth7/rp_filter', value: '0', mode: 'set' }],
      /eth7/,
    ],
    [
      'a parameter of the host',
      ofNetwork,
      [{ kind: 'sysctl', place: 'host', key: 'kernel/core_pattern', value: '|x', mode: 'set' }],
      /whole host/,
    ],
    [
      'a parameter by a way around',
      ofEndpoint,
      [veth, { kind: 'sysctl', place: 'host', key: 'net/ipv4/conf/veth0/../all/rp_filter', value: '0', mode: 'set' }],
      /whole host/,
    ],
    [
      'a parameter of all links',
      ofNetwork,
      [{ kind: 'sysctl', place: 'host', key: 'net/ipv4/conf/all/rp_filter', value: '0', mode: 'set' }],
      /whole host/,
    ],
    [
      "the host's default route",
      ofEndpoint,
      [veth, { kind: 'route', place: 'host', family: 4, destination: '0.0.0.0/0', link: 'veth0' }],
      /no subnet of the network/,
    ],
    [
      'an address of elsewhere',
      ofEndpoint,
      [veth, { kind: 'address', place: 'host', link: 'veth0', address: '8.8.8.8/32' }],
      /no subnet/,
    ],
    [
      "the sandbox's default route",
      ofEndpoint,
      [{ kind: 'route', place, family: 4, destination: '0.0.0.0/0', link: 'eth0' }],
      /leave them out/,
    ],
    [
      "an interface of another network's",
      ofEndpoint,
      [{ kind: 'address', place, link: 'eth1', address: '10.9.0.10/24' }],
      /eth1 is not its own/,
    ],
    [
      'another sandbox',
      ofEndpoint,
      [{ kind: 'link-up', place: { sandbox: 'f'.repeat(64) }, link: 'eth0' }],
      /another container/,
    ],
    ['something in a sandbox for a network', ofNetwork, [{ kind: 'link-up', place, link: 'eth0' }], /endpointPlan/],
    ["somebody else's tag", ofEndpoint, [{ ...veth, tag: 'tsnet:0' }], /tag must be/],
    ['ports that nobody asked for', ofEndpoint, [veth, { ...publish, hostPort: 22 }], /nobody asked/],
    ['ports of another container', ofEndpoint, [veth, { ...publish, to: '10.9.0.99' }], /no address of the endpoint/],
    [
      'masquerading of others',
      ofEndpoint,
      [veth, { kind: 'masquerade', family: 4, bridge: 'veth0', subnet: '0.0.0.0/0' }],
      /no subnet/,
    ],
    [
      'rules for a foreign link',
      ofNetwork,
      [{ kind: 'icc', family: 4, bridge: 'docker0', allow: true, internal: false }],
      /docker0/,
    ],
    [
      "the host's policy routing",
      ofNetwork,
      [{ kind: 'rule', place: 'host', family: 4, from: '10.9.0.0/24', table: 7, priority: 7 }],
      /policy rules/,
    ],
    [
      'who may speak to a port of the host',
      ofNetwork,
      [{ kind: 'vtep', family: 4, port: 4789, address: '192.0.2.2' }],
      /guardPlan/,
    ],
    [
      'a way into the device of another network',
      ofNetwork,
      [{ kind: 'fdb', link: 'tsx-1', mac: '02:42:0a:09:00:05', vtep: '192.0.2.2' }],
      /tsx-1/,
    ],
    [
      'a macvlan on a foreign parent',
      ofEndpoint,
      [{ kind: 'macvlan', place, name: 'eth0', parent: 'eth5', mode: 'bridge', tag: `tsnet:${endpoint.id}` }],
      /eth5/,
    ],
  ])('%s', (_what, owner, plan, message) => {
    expect(planFaults(plan, owner).join('\n')).toMatch(message);
  });
});
