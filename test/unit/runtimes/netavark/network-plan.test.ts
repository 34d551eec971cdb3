import { describe, expect, it } from 'vitest';
import type { PodmanNetwork } from '../../../../src/runtimes/netavark/network-info.ts';
import { planNetwork } from '../../../../src/runtimes/netavark/network-plan.ts';

const network = (given: Partial<PodmanNetwork> = {}): PodmanNetwork => ({
  name: 'web',
  id: 'a'.repeat(64),
  driver: 'bridge',
  networkInterface: 'podman1',
  subnets: [{ subnet: '10.89.0.0/24', gateway: '10.89.0.1' }],
  routes: [],
  ipv6Enabled: false,
  internal: false,
  dnsEnabled: true,
  dnsServers: [],
  ipamDriver: 'host-local',
  options: {},
  labels: { team: 'x' },
  ...given,
});
const plan = (given: Partial<PodmanNetwork> = {}): ReturnType<typeof planNetwork> =>
  planNetwork(network(given), () => 'eth0');

describe('a podman network as a network of ours', () => {
  it('is a bridge with podman’s names', () => {
    expect(plan({ options: { mtu: '1400', isolate: 'true', metric: '5', bclim: '7' } })).toEqual({
      kind: 'ours',
      podmanId: 'a'.repeat(64),
      request: {
        name: 'podman-web',
        driver: 'bridge',
        ipam: [{ subnet: '10.89.0.0/24', gateway: '10.89.0.1' }],
        internal: false,
        enableIPv4: true,
        enableIPv6: false,
        options: { 'bridge.name': 'podman1', mtu: '1400' },
        labels: { team: 'x', 'io.podman.network.id': 'a'.repeat(64), 'io.podman.network.name': 'web' },
      },
    });
    expect(plan({ name: 'podman' })).toMatchObject({ request: { name: 'podman' } });
  });

  it('lets other networks in where isolate=false says so', () => {
    const open = { 'bridge.gateway-mode-ipv4': 'nat-unprotected', 'bridge.gateway-mode-ipv6': 'nat-unprotected' };
    expect(plan({ options: { isolate: 'false' } })).toMatchObject({ request: { options: open } });
    expect(plan({ options: { isolate: 'false' }, internal: true })).not.toMatchObject({ request: { options: open } });
    expect(plan({ options: { isolate: 'strict' } })).not.toMatchObject({ request: { options: open } });
  });

  it('leaves podman the first address where it has no gateway', () => {
    const subnets = [{ subnet: '10.89.0.0/24' }, { subnet: 'fd00::/64' }];
    expect(plan({ subnets, internal: true })).toMatchObject({
      request: {
        ipam: [
          { subnet: '10.89.0.0/24', gateway: '10.89.0.254' },
          { subnet: 'fd00::/64', gateway: 'fd00::ffff:ffff:ffff:ffff' },
        ],
        options: { 'bridge.gateway-mode-ipv4': 'isolated', 'bridge.gateway-mode-ipv6': 'isolated' },
      },
    });
  });

  it('is macvlan or ipvlan on the parent, or on the link of the default route', () => {
    const given = { driver: 'macvlan', options: { mode: 'private', mtu: '9000' } };
    expect(plan(given)).toMatchObject({
      request: { driver: 'macvlan', options: { parent: 'podman1', macvlan_mode: 'private', mtu: '9000' } },
    });
    const { networkInterface: _none, ...without } = network({ driver: 'ipvlan' });
    expect(planNetwork(without, () => 'eth0')).toMatchObject({
      request: { driver: 'ipvlan', options: { parent: 'eth0' } },
    });
    expect(() => planNetwork(without, () => undefined)).toThrow(/no parent interface/);
    expect(plan({ ...given, subnets: [], ipamDriver: 'dhcp' })).toMatchObject({ request: { ipamDriver: 'dhcp' } });
  });

  it('is one of ours that a label or an option names', () => {
    expect(plan({ labels: { 'tsnet.network': 'mine' } })).toEqual({ kind: 'existing', reference: 'mine' });
    expect(plan({ options: { 'tsnet.network': 'mine' } })).toEqual({ kind: 'existing', reference: 'mine' });
  });

  it('is refused where podman’s wish would silently be another network', () => {
    const wishes: readonly (readonly [Partial<PodmanNetwork>, RegExp])[] = [
      [{ driver: 'vxlan' }, /^unknown network driver vxlan$/],
      [{ options: { vlan: '5' } }, /option vlan/],
      [{ options: { vrf: 'red' } }, /option vrf/],
      [{ options: { mode: 'unmanaged' } }, /mode unmanaged/],
      [{ ipamDriver: 'none' }, /ipam driver none/],
      [{ ipamDriver: 'dhcp' }, /dhcp is for macvlan/],
      [{ subnets: [] }, /no subnets/],
      [{ subnets: [{ subnet: '10.1.0.0/24' }, { subnet: '10.2.0.0/24' }] }, /one IPv4 subnet/],
    ];
    for (const [given, why] of wishes) expect(() => plan(given)).toThrow(why);
  });

  it('has the options of our own driver where it is a plugin’s', () => {
    const options = { driver: 'macvlan', parent: 'eth1', macvlan_mode: 'vepa' };
    expect(plan({ driver: 'macvlan', isPlugins: true, options })).toMatchObject({
      request: { driver: 'macvlan', options: { parent: 'eth1', macvlan_mode: 'vepa' } },
    });
  });
});
