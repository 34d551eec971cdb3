import { describe, expect, test } from 'vitest';
import { runsOf, withoutWhatGoesWithItsLink } from '../../../src/kernel/runs.ts';
import type { AddressResource, LinkResource, RouteResource, VethResource } from '../../../src/plan/resource.ts';

const place = { sandbox: 'one' } as const;
const address: AddressResource = { kind: 'address', place, link: 'eth0', address: '172.17.0.2/16' };
const route: RouteResource = { kind: 'route', place, family: 4, destination: '0.0.0.0/0', link: 'eth0' };
const veth: VethResource = {
  kind: 'veth',
  sandbox: 'one',
  host: 'veth1',
  peer: 'eth0',
  mtu: 1500,
  mac: '02:42:ac:11:00:02',
  hairpin: false,
  isolated: false,
  tag: 'tsnet:1',
};

describe('runs', () => {
  test('join neighbours of one kind and keep the order of the plan', () => {
    expect(runsOf([veth, address, address, route, address])).toEqual([
      { kind: 'veth', resources: [veth] },
      { kind: 'address', resources: [address, address] },
      { kind: 'route', resources: [route] },
      { kind: 'address', resources: [address] },
    ]);
    expect(runsOf([])).toEqual([]);
  });

  test('gather the entries of a device, however they are mixed: ways first, then who is there, then routes', () => {
    const vxlan: LinkResource = {
      kind: 'vxlan',
      name: 'vx0',
      vni: 1,
      port: 4789,
      local: '192.0.2.1',
      mtu: 1450,
      mac: '0a:00:00:00:00:01',
      tag: 'tsnet:1',
    };
    const peers = ['02:42:0a:00:00:02', '02:42:0a:00:00:03'].map((mac, index): LinkResource[] => [
      { kind: 'fdb', link: 'vx0', mac, vtep: '192.0.2.2' },
      { kind: 'neighbour', place: 'host', link: 'vx0', address: `10.0.0.${index}`, mac },
      { kind: 'route', place: 'host', family: 4, destination: `10.${index}.0.0/24`, link: 'vx0' },
    ]);
    const plan = [vxlan, ...peers.flat()];
    const shape = (some: readonly LinkResource[]): string[] =>
      runsOf(some).map(({ kind, resources }) => `${kind} ${resources.length}`);
    expect(shape(plan)).toEqual(['vxlan 1', 'fdb 2', 'neighbour 2', 'route 2']);
    expect(shape([...plan].reverse())).toEqual(['route 2', 'neighbour 2', 'fdb 2', 'vxlan 1']);
    // What is done to the device itself waits for what was done to its entries.
    const up: LinkResource = { kind: 'link-up', place: 'host', link: 'vx0' };
    expect(shape([vxlan, ...(peers[0] ?? []), up, ...(peers[1] ?? [])])).toEqual([
      'vxlan 1',
      'fdb 1',
      'neighbour 1',
      'route 1',
      'link-up 1',
      'fdb 1',
      'neighbour 1',
      'route 1',
    ]);
  });
});

describe('what goes with its link', () => {
  test('is left out of a removal that names the link', () => {
    expect(withoutWhatGoesWithItsLink([veth, address, route])).toEqual([veth]);
  });

  test('is only what is on that link of that sandbox', () => {
    const others: LinkResource[] = [
      { ...address, link: 'eth1' },
      { ...address, place: { sandbox: 'two' } },
      { ...address, place: 'host' },
      { kind: 'rule', place, family: 4, from: '172.17.0.2/32', table: 1000, priority: 1000 },
    ];
    expect(withoutWhatGoesWithItsLink([veth, ...others])).toEqual([veth, ...others]);
    expect(withoutWhatGoesWithItsLink([address, route])).toEqual([address, route]);
  });
});
