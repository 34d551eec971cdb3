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
