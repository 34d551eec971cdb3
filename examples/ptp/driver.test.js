import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeResource } from 'tsnet/driver';
import { driverContract, sampleEndpoint, sampleNetwork } from 'tsnet/driver-test';
import ptp from './driver.js';

const BOTH = {
  pools: [
    { subnet: '10.8.0.0/24', gateway: '10.8.0.1', aux: {} },
    { subnet: 'fd00:8::/64', gateway: 'fd00:8::1', aux: {} },
  ],
};

const samples = [
  {},
  { called: 'IPv4 and IPv6', draft: BOTH },
  { called: 'internal', draft: { ...BOTH, internal: true } },
  { called: 'without masquerading', draft: { options: { masquerade: false, mtu: 1400 } } },
];

for (const { says, holds } of driverContract({ driver: ptp, samples })) test(says, holds);

test('gives each container its own link with the gateway on it, and a route to it', () => {
  const network = sampleNetwork(ptp);
  const endpoint = sampleEndpoint(ptp, network, { hostLink: 'veth0' });
  const lines = ptp.endpointPlan(network, endpoint).map(describeResource);
  for (const line of [
    'veth veth0 ↔ eth0 in sandbox',
    'address 10.9.0.1/32 on veth0',
    'route 10.9.0.10/32 dev veth0',
    'address 10.9.0.10/32 on eth0 in sandbox',
    'route 10.9.0.1/32 dev eth0 in sandbox',
    'masquerade 10.9.0.10/32 not to veth0',
  ]) {
    assert.ok(lines.includes(line), `${line} is missing from\n${lines.join('\n')}`);
  }
});

test('refuses a subnet without a gateway', () => {
  assert.throws(() => sampleNetwork(ptp, { draft: { pools: [{ subnet: '10.8.0.0/24', aux: {} }] } }), {
    name: 'TsnetError',
    code: 'INVALID',
    message: /10\.8\.0\.0\/24 has no gateway/,
  });
});
