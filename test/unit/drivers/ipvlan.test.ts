import { describe, expect, it } from 'vitest';
import ipvlan from '../../../drivers/ipvlan/driver.ts';
import { describeResource } from '../../../src/plan/describe.ts';
import { sandboxPlan } from '../../../src/plan/sandbox-plan.ts';
import {
  driverContract,
  sampleEndpoint,
  sampleInput,
  sampleNetwork,
  type Sample,
} from '../../../src/public/driver-test.ts';

function lan(options: Readonly<Record<string, string | number | boolean>> = {}): Sample {
  return {
    draft: {
      pools: [{ subnet: '192.168.22.0/24', gateway: '192.168.22.1', aux: {} }],
      options: { parent: 'eth0', ...options },
    },
    facts: { links: [{ name: 'eth0', mtu: 1500, up: true, addresses: ['192.168.22.11/24'] }] },
  };
}

describe('the contract: ipvlan', () => {
  const samples: Sample[] = [
    { ...lan(), called: 'l2' },
    { ...lan({ ipvlan_mode: 'l3' }), called: 'l3' },
    { called: 'without a parent' },
  ];
  for (const { says, holds } of driverContract({ driver: ipvlan, samples })) it(says, holds);
});

describe('the ipvlan driver', () => {
  it.each([
    [{}, { mode: 'l2', flag: 'bridge' }],
    [
      { ipvlan_mode: 'l3', ipvlan_flag: 'private' },
      { mode: 'l3', flag: 'private' },
    ],
    [
      { ipvlan_mode: 'l3s', ipvlan_flag: 'vepa', mtu: 1400 },
      { mode: 'l3s', flag: 'vepa', mtu: 1400 },
    ],
  ])('plans one link with options %j', (options, link) => {
    const network = sampleNetwork(ipvlan, lan(options));
    const plan = ipvlan.endpointPlan(network, sampleEndpoint(ipvlan, network, { interfaceName: 'eth0' }));
    expect(plan[1]).toMatchObject({ kind: 'ipvlan', name: 'eth0', parent: 'eth0', ...link });
    expect(plan[1]).not.toHaveProperty('mac');
    expect(ipvlan.networkPlan(network)).toEqual([]);
  });

  it('lets no MAC be chosen and publishes nothing', () => {
    expect(ipvlan.endpointDefaults(sampleNetwork(ipvlan, lan()))).toMatchObject({
      refusesMac: expect.stringContaining('the MAC of eth0') as unknown,
      refusesPorts: expect.stringContaining('address of its own') as unknown,
    });
  });

  it('probes the LAN in l2 only, and in l3 leaves by the interface', () => {
    const l2 = ipvlan.endpointDefaults(sampleNetwork(ipvlan, lan()));
    const l3 = ipvlan.endpointDefaults(sampleNetwork(ipvlan, lan({ ipvlan_mode: 'l3' })));
    expect(l2).toMatchObject({ probeLink: 'eth0' });
    // One MAC for all: a DHCP server could not tell them apart.
    expect(l2).not.toHaveProperty('dhcpLink');
    expect(l2).not.toHaveProperty('defaultRoute');
    expect(l3).toMatchObject({ defaultRoute: 'link' });
    expect(l3).not.toHaveProperty('probeLink');
  });

  it('has a default route without a next hop in l3', () => {
    const network = sampleNetwork(ipvlan, lan({ ipvlan_mode: 'l3' }));
    const addresses = [{ address: '192.168.22.200/24', onLink: true }] as const;
    const endpoint = sampleEndpoint(ipvlan, network, { interfaceName: 'eth0', addresses });
    const plan = sandboxPlan({ id: endpoint.sandboxId, foreignDefaultRoutes: [] }, [{ network, endpoint }]);
    expect(plan.map(describeResource)).toEqual(['route 0.0.0.0/0 dev eth0 in sandbox']);
  });

  it('has its parent to itself', () => {
    const networks = [sampleNetwork(ipvlan, lan())];
    expect(() => ipvlan.configure({ ...sampleInput(ipvlan, lan()), networks })).toThrow(/has its parent to itself/);
  });

  it('calls its dummy as Docker does', () => {
    const [dummy] = ipvlan.networkPlan(sampleNetwork(ipvlan, {}));
    expect(dummy).toMatchObject({ kind: 'dummy', name: expect.stringMatching(/^di-[0-9a-f]{12}$/) as unknown });
  });
});
