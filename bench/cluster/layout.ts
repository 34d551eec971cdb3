/** The cluster that is simulated: who is on which network, and with how many endpoints. */
import { endpointKey, networkOfHostKey } from '../../src/cluster/keys.ts';
import type { EndpointValue } from '../../src/cluster/values.ts';
import { MAX_OPERATIONS, type ClusterStore, type StoreOperation } from '../../src/model/cluster-store.ts';
import { macFromAddress } from '../../src/model/mac.ts';
import type { Network } from '../../src/model/records.ts';

export interface Layout {
  /** `block`: all hosts are on one network, and have blocks of its addresses. */
  readonly mode: 'perIp' | 'block';
  readonly hosts: number;
  readonly networks: number;
  readonly networksPerHost: number;
  /** Of one host on one network. */
  readonly endpointsEach: number;
}

export const hostId = (host: number): string => `host${String(host).padStart(6, '0')}`;

/** 198.18.0.0/15 is for benchmarks (RFC 2544). */
export const vtepOf = (host: number): string => `198.18.${String(host >> 8)}.${String(host & 255)}`;

/** Evenly: each network has as many hosts as any other. */
export function networksOf({ networks, networksPerHost }: Layout, host: number): number[] {
  const stride = Math.floor(networks / networksPerHost);
  return Array.from({ length: networksPerHost }, (_, index) => (host + index * stride) % networks);
}

export function simulatedNetwork(
  index: number,
  subnet = `10.${String(index >> 8)}.${String(index & 255)}.0/24`,
): Network {
  return {
    version: 1,
    id: index.toString(16).padStart(64, '0'),
    name: `net${String(index)}`,
    driver: 'overlay',
    scope: 'global',
    createdAt: '2026-01-01T00:00:00.000000000Z',
    internal: false,
    attachable: false,
    enableIPv4: true,
    enableIPv6: false,
    ipamDriver: 'default',
    ipamOptions: {},
    pools: [{ subnet, gateway: subnet.replace(/\.0\/.*/, '.1'), aux: {} }],
    options: {},
    labels: {},
    settings: { device: `vx${String(index)}`, vni: 4096 + index, port: 4789, outerFamily: 4, mode: 'perIp' },
    predefined: false,
    state: 'active',
  };
}

/** All endpoints that are there at the beginning, written in the largest transactions there are; how many. */
export async function writeEndpoints(store: ClusterStore, layout: Layout): Promise<number> {
  const operations: StoreOperation[] = [];
  const used = new Map<number, number>();
  for (let host = 0; host < layout.hosts; host += 1) {
    for (const index of networksOf(layout, host)) {
      const { id } = simulatedNetwork(index);
      for (let one = 0; one < layout.endpointsEach; one += 1) {
        const last = (used.get(index) ?? 1) + 1;
        used.set(index, last);
        const address = `10.${String(index >> 8)}.${String(index & 255)}.${String(last)}`;
        const value: EndpointValue = {
          mac: macFromAddress(address),
          host: hostId(host),
          id: `${hostId(host)}-${String(index)}-${String(one)}`.padEnd(64, '0'),
          names: [`box${String(last)}`],
        };
        operations.push({ kind: 'put', key: endpointKey(id, address), value: JSON.stringify(value) });
      }
      operations.push({ kind: 'put', key: networkOfHostKey(hostId(host), id), value: '{}' });
    }
  }
  const batches: StoreOperation[][] = [];
  for (let at = 0; at < operations.length; at += MAX_OPERATIONS)
    batches.push(operations.slice(at, at + MAX_OPERATIONS));
  const writer = async (): Promise<void> => {
    for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
      await store.transact({ expect: [], operations: batch });
    }
  };
  await Promise.all(Array.from({ length: 8 }, writer));
  return operations.length;
}
