import { describe, expect, it } from 'vitest';
import overlay from '../../../drivers/overlay/driver.ts';
import type { Network } from '../../../src/model/records.ts';
import type { Peer } from '../../../src/plan/driver.ts';
import type { Plan } from '../../../src/plan/resource.ts';
import { sampleEndpoint, sampleInput, sampleNetwork, type Sample } from '../../../src/public/samples.ts';

const CLUSTER = { vnis: [4097], underlayMtu: 1500, outerFamily: 4, port: 4789 } as const;
const BOTH: NonNullable<Sample['draft']> = {
  id: 'ab12cd34ef56'.padEnd(64, '0'),
  pools: [
    { subnet: '10.77.0.0/16', gateway: '10.77.0.1', aux: {} },
    { subnet: 'fd00:77::/48', gateway: 'fd00:77::1', aux: {} },
  ],
};
const HERE = { vtep: '192.168.77.1', vtep6: '2001:db8:77::1' };
const DEVICE = 'tsx-ab12cd34ef5';
const BRIDGE = 'tsn-ab12cd34ef5';

function network({ draft, ...sample }: Sample = {}): Network {
  return sampleNetwork(overlay, { cluster: CLUSTER, underlay: HERE, draft: { ...BOTH, ...draft }, ...sample });
}

const kinds = (plan: Plan): string[] => plan.map(({ kind }) => kind);
const peers = (record: Network, peer: Peer): Plan => overlay.peerPlan?.(record, peer) ?? [];

describe('the overlay driver', () => {
  it('plans a bridge that floods multicast, and a device that knows no more than it is told', () => {
    const plan = overlay.networkPlan(network());
    expect(plan).toContainEqual({
      kind: 'bridge',
      name: BRIDGE,
      mtu: 1450,
      mac: '06:ab:12:cd:34:ef',
      adopted: false,
      multicastSnooping: false,
      tag: `tsnet:${BOTH.id ?? ''}`,
    });
    expect(plan).toContainEqual({
      kind: 'vxlan',
      name: DEVICE,
      vni: 4097,
      port: 4789,
      local: '192.168.77.1',
      master: BRIDGE,
      mtu: 1450,
      mac: expect.stringMatching(/^0a:/) as string,
      tag: `tsnet:${BOTH.id ?? ''}`,
    });
    expect(kinds(plan).filter((kind) => kind === 'isolate' || kind === 'masquerade')).toHaveLength(4);
  });

  it('gives all hosts the same settings but for their own place', () => {
    const [one, two] = [HERE, { vtep: '192.168.77.2' }].map((underlay) => network({ underlay }).settings);
    expect({ ...one, vtep: '' }).toEqual({ ...two, vtep: '' });
    expect(one?.['mac']).toBe(two?.['mac']);
    expect(two?.['vtep']).toBe('192.168.77.2');
  });

  it('plans nothing for a host whose place is not known, and takes none of another family', () => {
    const nowhere = sampleNetwork(overlay, { cluster: CLUSTER, draft: BOTH });
    expect(() => overlay.networkPlan(nowhere)).toThrow(/place in the underlay/);
    expect(() => overlay.localize?.(nowhere, { vtep6: '2001:db8::1' })).toThrow(/IPv4 .* cluster-advertise/);
  });

  it('leaves room for the outer headers: 50 bytes of IPv4, 70 of IPv6', () => {
    expect(network().settings['mtu']).toBe(1450);
    expect(network({ cluster: { ...CLUSTER, outerFamily: 6 } }).settings['mtu']).toBe(1430);
    expect(network({ cluster: { ...CLUSTER, underlayMtu: 9000 } }).settings['mtu']).toBe(8950);
    expect(network({ draft: { options: { mtu: 1400 } } }).settings['mtu']).toBe(1400);
    expect(() => network({ draft: { options: { mtu: 1451 } } })).toThrow(/at most 1450/);
    expect(overlay.changeMtu?.(network(), { mtu: 1300, facts: { links: [], routes: [] } })['mtu']).toBe(1300);
    expect(() => overlay.changeMtu?.(network(), { mtu: 1500, facts: { links: [], routes: [] } })).toThrow(/1450/);
  });

  it.each([
    ['encrypted', { draft: { options: { encrypted: '' } } }, /does not encrypt/],
    ['IPv6 with too small an MTU', { draft: { options: { mtu: 1200 } } }, /1280/],
    ['a foreign vni', { draft: { options: { vni: '5000' } } }, /the cluster gave 4097/],
    [
      'two subnets of a family in blocks',
      {
        draft: {
          pools: ['10.1.0.0/24', '10.2.0.0/24'].map((subnet) => ({ subnet, gateway: subnet, aux: {} })),
          options: { mode: 'block' },
        },
      },
      /one IPv4 subnet/,
    ],
    [
      'blocks without a gateway',
      { draft: { pools: [{ subnet: '10.1.0.0/24', aux: {} }], options: { mode: 'block' } } },
      /gateway/,
    ],
    [
      'blocks without IPv4',
      { draft: { pools: [{ subnet: 'fd00:1::/64', gateway: 'fd00:1::1', aux: {} }], options: { mode: 'block' } } },
      /cuts an IPv4 subnet/,
    ],
    [
      'blocks of a subnet that is too small',
      { draft: { pools: [{ subnet: '10.1.0.0/28', gateway: '10.1.0.1', aux: {} }], options: { mode: 'block' } } },
      /10\.1\.0\.0\/28 is too small/,
    ],
    [
      'blocks as large as the subnet',
      { draft: { options: { mode: 'block', 'block-size': 16 } } },
      /block-size 16 .* choose 17 to 29/,
    ],
    ['blocks of four addresses', { draft: { options: { mode: 'block', 'block-size': 30 } } }, /choose 17 to 29/],
    [
      'names in the store where there are no blocks',
      { draft: { options: { names: 'store' } } },
      /without mode=block all/,
    ],
    ['a block size where there are no blocks', { draft: { options: { 'block-size': 24 } } }, /add -o mode=block/],
    [
      'an IPv6 subnet with fewer addresses than the IPv4 one',
      {
        draft: {
          pools: [
            { subnet: '10.77.0.0/16', gateway: '10.77.0.1', aux: {} },
            { subnet: 'fd00:77::/113', gateway: 'fd00:77::1', aux: {} },
          ],
          options: { mode: 'block' },
        },
      },
      /fd00:77::\/113 has fewer addresses than 10\.77\.0\.0\/16/,
    ],
    [
      "somebody else's link",
      { facts: { links: [{ name: BRIDGE, mtu: 1500, up: true, addresses: [] }] } },
      /choose another bridge.name/,
    ],
  ] as readonly [string, Sample, RegExp][])('refuses %s', (_what, { draft, ...change }, why) => {
    const sample = { cluster: CLUSTER, draft: { ...BOTH, ...draft }, ...change };
    expect(() => overlay.configure(sampleInput(overlay, sample))).toThrow(why);
  });

  it('refuses a host that is in no cluster, and says what to do', () => {
    expect(() => overlay.configure(sampleInput(overlay, { draft: BOTH }))).toThrow(/cluster-store in daemon.json/);
  });

  it('plans a container of another host: the way to it first, then who has its addresses', () => {
    const mac = '02:42:0a:4d:00:05';
    const peer = { kind: 'endpoint', addresses: ['10.77.0.5', 'fd00:77::5'], mac, vtep: '192.168.77.2' } as const;
    expect(peers(network(), peer)).toEqual([
      { kind: 'fdb', link: DEVICE, mac, vtep: '192.168.77.2' },
      { kind: 'neighbour', place: 'host', link: DEVICE, address: '10.77.0.5', mac },
      { kind: 'neighbour', place: 'host', link: DEVICE, address: 'fd00:77::5', mac },
    ]);
    expect(() => peers(network(), { ...peer, vtep: '2001:db8::2' })).toThrow(/another family/);
  });

  it('plans the blocks of another host: one entry, and a route a block', () => {
    const record = network({ draft: { options: { mode: 'block' } } });
    const blocks = ['10.77.3.0/24', '10.77.9.0/24', 'fd00:77:0:3::/64'];
    const plan = peers(record, { kind: 'blocks', blocks, vtep: '192.168.77.2' });
    const there = network({ underlay: { vtep: '192.168.77.2' }, draft: { options: { mode: 'block' } } });
    const device = overlay.networkPlan(there).find(({ kind }) => kind === 'vxlan');
    const mac = device?.kind === 'vxlan' ? device.mac : '';
    const via = plan.find((one) => one.kind === 'neighbour' && one.address.startsWith('fe80:'));
    expect(plan).toEqual([
      { kind: 'fdb', link: DEVICE, mac, vtep: '192.168.77.2' },
      { kind: 'neighbour', place: 'host', link: DEVICE, address: '10.77.3.0', mac },
      { kind: 'neighbour', place: 'host', link: DEVICE, address: '10.77.9.0', mac },
      { kind: 'neighbour', place: 'host', link: DEVICE, address: expect.stringMatching(/^fe80::/) as string, mac },
      { kind: 'route', place: 'host', family: 4, destination: blocks[0], link: DEVICE, via: '10.77.3.0', onLink: true },
      { kind: 'route', place: 'host', family: 4, destination: blocks[1], link: DEVICE, via: '10.77.9.0', onLink: true },
      {
        kind: 'route',
        place: 'host',
        family: 6,
        destination: blocks[2],
        link: DEVICE,
        via: via?.kind === 'neighbour' ? via.address : '',
      },
    ]);
  });

  it('cuts a subnet into blocks of 256 addresses, or into 256 blocks, unless told', () => {
    const lengthOf = (subnet: string, options = {}): number | undefined => {
      const pools = [{ subnet, gateway: subnet.replace(/0\/\d+$/, '1'), aux: {} }];
      return overlay.blockLength?.(network({ draft: { pools, options: { mode: 'block', ...options } } }));
    };
    expect(
      ['10.0.0.0/8', '10.1.0.0/16', '10.1.0.0/18', '10.1.0.0/22', '10.1.0.0/27'].map((one) => lengthOf(one)),
    ).toEqual([24, 24, 26, 28, 28]);
    expect(lengthOf('10.1.0.0/16', { 'block-size': 26 })).toBe(26);
    expect(overlay.blockLength?.(network())).toBeUndefined();
    expect(overlay.tellsNames?.(network())).toBe(false);
    const told = network({ draft: { options: { mode: 'block', names: 'store' } } });
    expect(overlay.tellsNames?.(told)).toBe(true);
    expect(overlay.tellsNames?.(network({ draft: { options: { mode: 'block' } } }))).toBe(false);
  });

  it('routes into the device in block mode, and answers ARP for what is behind it', () => {
    const plan = overlay.networkPlan(network({ draft: { options: { mode: 'block' } } }));
    expect(plan.find(({ kind }) => kind === 'vxlan')).not.toHaveProperty('master');
    expect(plan).toContainEqual(expect.objectContaining({ key: `net/ipv4/conf/${BRIDGE}/proxy_arp`, value: '1' }));
    expect(plan).toContainEqual(expect.objectContaining({ key: `net/ipv4/neigh/${BRIDGE}/proxy_delay`, value: '0' }));
    expect(kinds(plan).filter((kind) => kind === 'branch')).toHaveLength(2);
    expect(plan).toContainEqual(expect.objectContaining({ kind: 'masquerade', keepWithin: true }));
  });

  it('has containers ask again soon for a MAC that nobody knew yet', () => {
    const record = network();
    const plan = overlay.endpointPlan(record, sampleEndpoint(overlay, record));
    expect(plan.flatMap((one) => (one.kind === 'sysctl' && one.value === '100' ? [one.key] : []))).toEqual([
      'net/ipv4/neigh/eth0/retrans_time_ms',
      'net/ipv6/neigh/eth0/retrans_time_ms',
    ]);
  });

  it('gives a container one interface for all subnets of the network', () => {
    const pools = ['10.1.0.0/24', '10.2.0.0/24'].map((subnet) => ({
      subnet,
      gateway: subnet.replace('0/24', '1'),
      aux: {},
    }));
    const record = network({ draft: { pools } });
    const plan = overlay.endpointPlan(record, sampleEndpoint(overlay, record));
    expect(kinds(plan).filter((kind) => kind === 'veth')).toHaveLength(1);
    expect(plan.flatMap((one) => (one.kind === 'route' ? [one.destination] : []))).toEqual([
      '10.1.0.0/24',
      '10.2.0.0/24',
    ]);
    expect(kinds(overlay.networkPlan(record)).filter((kind) => kind === 'icc')).toHaveLength(1);
  });

  it('guards its port against everybody but the hosts of the cluster', () => {
    expect(overlay.guardPlan?.(network(), ['192.168.77.2', '2001:db8::2'])).toEqual([
      { kind: 'vtep-guard', family: 4, port: 4789, local: '192.168.77.1' },
      { kind: 'vtep', family: 4, port: 4789, address: '192.168.77.2' },
    ]);
  });
});
