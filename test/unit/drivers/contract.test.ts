import { describe, it } from 'vitest';
import bridge from '../../../drivers/bridge/driver.ts';
import host from '../../../drivers/host/driver.ts';
import none from '../../../drivers/none/driver.ts';
import overlay from '../../../drivers/overlay/driver.ts';
import { remoteDriver } from '../../../drivers/remote/driver.ts';
import type { Driver } from '../../../src/plan/driver.ts';
import { driverContract, type Sample } from '../../../src/public/driver-test.ts';

const DUAL_STACK: Sample['draft'] = {
  pools: [
    { subnet: '10.9.0.0/24', gateway: '10.9.0.1', aux: {} },
    { subnet: 'fd00:9::/64', gateway: 'fd00:9::1', aux: {} },
  ],
};

/** Of a cluster over IPv4, as its first host keeps it. */
const CLUSTER: Pick<Sample, 'cluster' | 'underlay'> = {
  cluster: { vnis: [4097], underlayMtu: 1500, outerFamily: 4, port: 4789 },
  underlay: { vtep: '192.168.77.1', vtep6: '2001:db8:77::1' },
};

const DRIVERS: readonly (readonly [Driver, readonly Sample[]])[] = [
  [host, [{}]],
  [none, [{}]],
  [remoteDriver('weave', { scope: 'global' }), [{}, { called: 'IPv4 and IPv6', draft: DUAL_STACK }]],
  [
    overlay,
    [
      CLUSTER,
      { ...CLUSTER, called: 'IPv4 and IPv6', draft: DUAL_STACK },
      { ...CLUSTER, called: 'internal', draft: { ...DUAL_STACK, internal: true } },
      { ...CLUSTER, called: 'in blocks', draft: { ...DUAL_STACK, options: { mode: 'block' } } },
      {
        ...CLUSTER,
        called: 'over IPv6',
        draft: DUAL_STACK,
        cluster: { vnis: [4097], underlayMtu: 1500, outerFamily: 6, port: 4789 },
      },
    ],
  ],
  [
    bridge,
    [
      {},
      { called: 'IPv4 and IPv6', draft: DUAL_STACK },
      { called: 'internal', draft: { ...DUAL_STACK, internal: true } },
      { called: 'without masquerading', draft: { options: { 'bridge.masquerade': false, 'bridge.icc': false } } },
      { called: 'routed', draft: { options: { 'bridge.gateway-mode-ipv4': 'routed' } } },
      { called: 'with a source address', draft: { options: { 'snat-ipv4': '192.0.2.1' } } },
      { called: 'without an address on the bridge', draft: { options: { 'bridge.inhibit-ipv4': true } } },
      {
        called: "on somebody else's bridge",
        draft: { name: 'web', options: { 'bridge.name': 'br0' } },
        facts: { links: [{ name: 'br0', kind: 'bridge', mtu: 1500, up: true, addresses: ['10.9.0.1/24'] }] },
      },
    ],
  ],
];

describe.each(DRIVERS.map(([driver, samples]) => [driver.name, driver, samples] as const))(
  'the contract: %s',
  (_name, driver, samples) => {
    for (const { says, holds } of driverContract({ driver, samples })) it(says, holds);
  },
);
