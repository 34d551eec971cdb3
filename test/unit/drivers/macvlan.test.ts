import { describe, expect, it } from 'vitest';
import macvlan from '../../../drivers/macvlan/driver.ts';
import { removalPlan } from '../../../src/engine/finish-network-removal.ts';
import type { EngineContext } from '../../../src/engine/context.ts';
import { givenDrivers } from '../../../src/engine/drivers.ts';
import type { LedgerView } from '../../../src/model/ledger.ts';
import type { Network } from '../../../src/model/records.ts';
import { describeResource } from '../../../src/plan/describe.ts';
import type { HostLink } from '../../../src/plan/kernel.ts';
import {
  driverContract,
  sampleEndpoint,
  sampleInput,
  sampleNetwork,
  type Sample,
} from '../../../src/public/driver-test.ts';

const ETH0: HostLink = { name: 'eth0', mtu: 1500, up: true, addresses: ['192.168.22.11/24', 'fd22::11/64'] };
const LAN: Sample = {
  draft: { pools: [{ subnet: '192.168.22.0/24', gateway: '192.168.22.1', aux: {} }], options: { parent: 'eth0' } },
  facts: { links: [ETH0] },
};

function lan(options: Sample['draft'] = {}, links: readonly HostLink[] = [ETH0]): Sample {
  return {
    draft: { ...LAN.draft, ...options, options: { parent: 'eth0', ...options.options } },
    facts: { links },
  };
}

const networkLines = (sample: Sample): string[] =>
  macvlan.networkPlan(sampleNetwork(macvlan, sample)).map(describeResource);

const endpointLines = (sample: Sample): string[] => {
  const network = sampleNetwork(macvlan, sample);
  const endpoint = sampleEndpoint(macvlan, network, {
    interfaceName: 'eth0',
    mac: '02:42:c0:a8:16:c8',
    addresses: [{ address: '192.168.22.200/24', gateway: '192.168.22.1' }],
  });
  return macvlan.endpointPlan(network, endpoint).map(describeResource);
};

const configure = (sample: Sample, networks: readonly Network[] = []): unknown =>
  macvlan.configure({ ...sampleInput(macvlan, sample), networks });

describe('the contract: macvlan', () => {
  const samples: Sample[] = [
    { ...lan(), called: 'on eth0' },
    { called: 'without a parent' },
    { ...lan({ options: { host_access: true } }), called: 'with host access' },
    { ...lan({ options: { macvlan_mode: 'passthru' } }), called: 'passthru' },
  ];
  for (const { says, holds } of driverContract({ driver: macvlan, samples })) it(says, holds);
});

describe('the macvlan driver', () => {
  it('makes nothing for a network on a link that is there', () => {
    expect(networkLines(lan())).toEqual([]);
  });

  it('brings an endpoint up behind its addresses, so that they are announced', () => {
    expect(endpointLines(lan())).toEqual([
      'link lo up in sandbox',
      'macvlan eth0 in sandbox on eth0 mode bridge',
      'sysctl net.ipv4.conf.eth0.arp_notify = 1 in sandbox',
      'sysctl net.ipv6.conf.eth0.disable_ipv6 = 1 in sandbox',
      'address 192.168.22.200/24 on eth0 in sandbox',
      'link eth0 up in sandbox',
      'route 192.168.22.0/24 dev eth0 in sandbox',
    ]);
  });

  it('makes a VLAN sub-interface that is not there, and leaves one alone that is', () => {
    const made = ['vlan eth0.50 id 50 on eth0', 'link eth0.50 up'];
    expect(networkLines(lan({ options: { parent: 'eth0.50' } }))).toEqual(made);
    const theirs: HostLink = { name: 'eth0.50', kind: 'vlan', mtu: 1500, up: true, addresses: [] };
    expect(networkLines(lan({ options: { parent: 'eth0.50' } }, [ETH0, theirs]))).toEqual([]);
    const ours = { ...theirs, alias: 'tsnet:vlan:eth0.50' };
    expect(networkLines(lan({ options: { parent: 'eth0.50' } }, [ETH0, ours]))).toEqual(made);
  });

  it('removes a VLAN sub-interface with the last network that stands on it', () => {
    const sample = lan({ options: { parent: 'eth0.50' } });
    const one: Network = { ...sampleNetwork(macvlan, sample), state: 'removing' };
    const other: Network = { ...one, id: 'f'.repeat(64), name: 'other', state: 'active' };
    const context = { drivers: givenDrivers([macvlan]) } as EngineContext;
    const kinds = (...networks: readonly Network[]): string[] => {
      const view = { networks: () => [...networks] } as LedgerView;
      return removalPlan(context, view, one).map(({ kind }) => kind);
    };
    expect(kinds(one, other)).not.toContain('vlan');
    expect(kinds(one, { ...other, state: 'removing' })).toContain('vlan');
    expect(kinds(one)).toContain('vlan');
  });

  it('takes a dummy for parent where none is named, and probes nobody there', () => {
    const network = sampleNetwork(macvlan, { draft: { options: {} } });
    expect(macvlan.networkPlan(network).map(({ kind }) => kind)).toEqual(['dummy', 'link-up']);
    expect(macvlan.endpointDefaults(network)).not.toHaveProperty('probeLink');
    expect(macvlan.endpointDefaults(sampleNetwork(macvlan, lan()))).toMatchObject({ probeLink: 'eth0' });
  });

  it('makes host access of a shim, and of a route and two neighbours for each address', () => {
    const sample = lan({ options: { host_access: true } });
    const [shim = ''] = networkLines(sample);
    const name = /^macvlan (tsm-[0-9a-f]{11}) on eth0 mode bridge$/.exec(shim)?.[1] ?? 'none';
    expect(networkLines(sample)).toContain(`sysctl net.ipv4.conf.${name}.arp_ignore = 8`);
    expect(endpointLines(sample).slice(-3)).toEqual([
      `route 192.168.22.200/32 dev ${name} src 192.168.22.11`,
      `neighbour 192.168.22.200 at 02:42:c0:a8:16:c8 on ${name}`,
      expect.stringMatching(/^neighbour 192\.168\.22\.11 at 02:42:\S+ on eth0 in sandbox$/),
    ]);
  });

  it('gives the shim the address that is reserved for the host', () => {
    const aux = { host: '192.168.22.2' };
    const sample = lan({ pools: [{ subnet: '192.168.22.0/24', aux }], options: { host_access: true } });
    expect(networkLines(sample)).toContainEqual(expect.stringMatching(/^address 192\.168\.22\.2\/32 on tsm-/));
    expect(endpointLines(sample)).toContainEqual(expect.stringMatching(/src 192\.168\.22\.2$/));
  });

  it('gives the container an MTU only if one is asked for', () => {
    const link = (sample: Sample): unknown => {
      const network = sampleNetwork(macvlan, sample);
      return macvlan.endpointPlan(network, sampleEndpoint(macvlan, network)).find(({ kind }) => kind === 'macvlan');
    };
    expect(link(lan())).not.toHaveProperty('mtu');
    expect(link(lan({ options: { mtu: 1400 } }))).toMatchObject({ mtu: 1400 });
  });

  it("refuses published ports, and a MAC where the container has the parent's", () => {
    expect(macvlan.endpointDefaults(sampleNetwork(macvlan, lan())).refusesPorts).toMatch(/address of its own/);
    const passthru = sampleNetwork(macvlan, lan({ options: { macvlan_mode: 'passthru' } }));
    expect(macvlan.endpointDefaults(passthru).refusesMac).toMatch(/MAC of eth0/);
    const link = macvlan.endpointPlan(passthru, sampleEndpoint(macvlan, passthru))[1];
    expect(link).not.toHaveProperty('mac');
  });

  const link = (change: Partial<HostLink>): readonly HostLink[] => [{ ...ETH0, ...change }];
  it.each([
    ['a parent that is not there', lan({ options: { parent: 'eth9' } }), /no link eth9.*links: eth0/],
    ['a VLAN on a link that is not there', lan({ options: { parent: 'eth9.5' } }), /no link eth9 on this host to make/],
    ['a VLAN beyond the last', lan({ options: { parent: 'eth0.4095' } }), /not that of a VLAN sub-interface/],
    ['a VLAN of a VLAN', lan({ options: { parent: 'eth0.5.6' } }), /not that of a VLAN sub-interface/],
    ['a parent that is down', lan({}, link({ up: false })), /eth0 is down; bring it up/],
    ['a port of a bridge', lan({}, link({ master: 'br0' })), /eth0 is a port of br0; name br0/],
    ['the loopback', lan({}, link({ medium: 'loopback' })), /loopback/],
    ['a tunnel', lan({}, link({ medium: 'other' })), /no Ethernet link/],
    ["an MTU above the parent's", lan({ options: { mtu: 9000 } }), /mtu 9000 is more than the 1500/],
    ['host access in mode private', lan({ options: { host_access: true, macvlan_mode: 'private' } }), /bridge only/],
    [
      'host access without an address',
      lan({ options: { host_access: true } }, link({ addresses: [] })),
      /--aux-address/,
    ],
  ])('refuses %s', (_what, sample, why) => {
    expect(() => configure(sample)).toThrow(why);
  });

  it('shares its parent, but not in mode passthru and not with ipvlan', () => {
    const other = sampleNetwork(macvlan, lan());
    const passthru = lan({ options: { macvlan_mode: 'passthru' } });
    expect(() => configure(lan(), [other])).not.toThrow();
    expect(() => configure(passthru, [other])).toThrow(/passthru has its parent to itself/);
    expect(() => configure(lan(), [sampleNetwork(macvlan, passthru)])).toThrow(/passthru has its parent to itself/);
    expect(() => configure(lan(), [{ ...other, driver: 'ipvlan' }])).toThrow(/macvlan and ipvlan do not share/);
  });
});
