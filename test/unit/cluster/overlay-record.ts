/** The record of an overlay network, as tests need it. */
import type { Network } from '../../../src/model/records.ts';

export function overlayRecord(special: Partial<Network> = {}): Network {
  return {
    version: 1,
    id: 'a'.repeat(64),
    name: 'ov',
    driver: 'overlay',
    scope: 'global',
    createdAt: '2026-01-01T00:00:00.000000000Z',
    internal: false,
    attachable: false,
    enableIPv4: true,
    enableIPv6: special.pools?.some(({ subnet }) => subnet.includes(':')) ?? false,
    ipamDriver: 'default',
    ipamOptions: {},
    pools: [{ subnet: '10.77.0.0/28', gateway: '10.77.0.1', aux: {} }],
    options: {},
    labels: {},
    settings: {},
    predefined: false,
    state: 'active',
    ...special,
  };
}
