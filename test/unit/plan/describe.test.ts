import { expect, test } from 'vitest';
import { describeResource } from '../../../src/plan/describe.ts';
import type { Resource } from '../../../src/plan/resource.ts';

const sandbox = { sandbox: '1'.repeat(64) };
const intent = { family: 4, bridge: 'tsnet0' } as const;
const port = {
  protocol: 'tcp',
  hostAddress: '0.0.0.0',
  hostPort: 8080,
  containerPort: 80,
  count: 1,
  to: '172.17.0.2',
} as const;

const cases: [Resource, string][] = [
  [{ kind: 'bridge', name: 'tsnet0', mtu: 1500, adopted: false, tag: 't' }, 'bridge tsnet0'],
  [{ kind: 'bridge', name: 'br0', mtu: 1500, adopted: true, tag: 't' }, 'bridge br0 (not ours)'],
  [
    { kind: 'macvlan', place: sandbox, name: 'eth0', parent: 'eth0', mode: 'bridge', tag: 't' },
    'macvlan eth0 in sandbox on eth0 mode bridge',
  ],
  [
    { kind: 'ipvlan', place: sandbox, name: 'eth0', parent: 'eth1', mode: 'l3', flag: 'bridge', tag: 't' },
    'ipvlan eth0 in sandbox on eth1 mode l3',
  ],
  [{ kind: 'vlan', name: 'eth0.50', parent: 'eth0', id: 50, tag: 't' }, 'vlan eth0.50 id 50 on eth0'],
  [{ kind: 'dummy', name: 'dm-1', tag: 't' }, 'dummy dm-1'],
  [{ kind: 'ifb', name: 'ifb1', tag: 't' }, 'ifb ifb1'],
  [
    { kind: 'token-bucket', link: 'veth1', bytesPerSecond: 1000, burstBytes: 1, limitBytes: 1 },
    'limit of 8000 bit/s on veth1',
  ],
  [{ kind: 'redirect', link: 'veth1', to: 'ifb1' }, 'redirect of what arrives on veth1 to ifb1'],
  [
    {
      kind: 'vxlan',
      name: 'tsx-1',
      vni: 4097,
      port: 4789,
      local: '192.0.2.1',
      master: 'tsn-1',
      mtu: 1450,
      mac: '0a:00:00:00:00:01',
      tag: 't',
    },
    'vxlan tsx-1 id 4097 local 192.0.2.1 dstport 4789 master tsn-1',
  ],
  [
    { kind: 'fdb', link: 'tsx-1', mac: '02:42:0a:00:00:02', vtep: '192.0.2.2' },
    'fdb 02:42:0a:00:00:02 dst 192.0.2.2 on tsx-1',
  ],
  [
    { kind: 'branch', family: 4, bridge: 'tsn-1', subnet: '10.0.0.0/16', link: 'tsx-1' },
    'branch tsx-1 of 10.0.0.0/16 on tsn-1',
  ],
  [{ kind: 'vtep-guard', family: 6, port: 4789, local: '2001:db8::1' }, 'guard udp [2001:db8::1]:4789 (VXLAN)'],
  [{ kind: 'vtep', family: 4, port: 4789, address: '192.0.2.2' }, 'vtep 192.0.2.2 may speak to udp port 4789 (VXLAN)'],
  [
    { kind: 'neighbour', place: 'host', link: 'tsm-1', address: '192.168.22.200', mac: '02:42:c0:a8:16:c8' },
    'neighbour 192.168.22.200 at 02:42:c0:a8:16:c8 on tsm-1',
  ],
  [
    { kind: 'route', place: 'host', family: 4, destination: '10.0.0.9/32', link: 'tsm-1', source: '10.0.0.1' },
    'route 10.0.0.9/32 dev tsm-1 src 10.0.0.1',
  ],
  [{ kind: 'link-up', place: sandbox, link: 'lo' }, 'link lo up in sandbox'],
  [{ kind: 'address', place: 'host', link: 'tsnet0', address: '172.17.0.1/16' }, 'address 172.17.0.1/16 on tsnet0'],
  [
    { kind: 'route', place: sandbox, family: 4, destination: '0.0.0.0/0', link: 'eth0', via: '172.17.0.1' },
    'route 0.0.0.0/0 via 172.17.0.1 dev eth0 in sandbox',
  ],
  [
    { kind: 'route', place: 'host', family: 4, destination: '10.0.0.0/8', link: 'eth0', table: 1001 },
    'route 10.0.0.0/8 dev eth0 table 1001',
  ],
  [
    { kind: 'sysctl', place: 'host', key: 'net/ipv4/conf/eth0.5/route_localnet', value: '1', mode: 'set' },
    'sysctl net.ipv4.conf.eth0/5.route_localnet = 1',
  ],
  [{ ...intent, kind: 'icc', allow: false, internal: false }, 'icc drop IPv4 on tsnet0'],
  [{ ...intent, kind: 'masquerade', subnet: '172.17.0.0/16' }, 'masquerade 172.17.0.0/16 not to tsnet0'],
  [
    { ...intent, kind: 'masquerade', subnet: '172.17.0.0/16', to: '192.0.2.1' },
    'snat 172.17.0.0/16 not to tsnet0 as 192.0.2.1',
  ],
  [{ ...intent, ...port, kind: 'publish', mode: 'nat' }, 'publish tcp 0.0.0.0:8080 → 172.17.0.2:80'],
  [
    {
      ...intent,
      ...port,
      kind: 'publish',
      mode: 'nat',
      family: 6,
      protocol: 'udp',
      hostAddress: '::',
      to: 'fd00::2',
      count: 3,
    },
    'publish udp [::]:8080-8082 → [fd00::2]:80-82',
  ],
  [{ ...intent, ...port, kind: 'publish', mode: 'routed' }, 'publish tcp 172.17.0.2:80 (routed)'],
];

test.each(cases)('%j', (resource, text) => {
  expect(describeResource(resource)).toBe(text);
});
