/** Networks as each version of Docker's API shows them. */
import type { DockerNetwork } from '../../../engine/docker-network.ts';
import { poolUsage } from '../../../engine/pool-usage.ts';
import type { Lease } from '../../../model/records.ts';
import { isAtLeast } from './api-version.ts';

/** An entry of `GET /networks`: who is connected is told by inspect alone. */
export function listEntry({ Containers: _containers, ...network }: DockerNetwork): Omit<DockerNetwork, 'Containers'> {
  return network;
}

/** The JSON of one network; `leases` are all that are held in it. */
export function inspectJson(network: DockerNetwork, leases: readonly Lease[], version: string): string {
  const json = JSON.stringify(network);
  if (!isAtLeast(version, '1.52')) return json;
  const pools = (network.IPAM.Config ?? []).map((config) => ({
    subnet: config.Subnet,
    ...(config.IPRange === undefined ? {} : { range: config.IPRange }),
    ...(config.Gateway === undefined ? {} : { gateway: config.Gateway }),
    aux: config.AuxiliaryAddresses ?? {},
  }));
  // By hand: the counts are 64 bits wide, more than a number of ours holds.
  const subnets = poolUsage(pools, leases).map(
    ({ subnet, inUse, free }) =>
      `${JSON.stringify(subnet)}:{"IPsInUse":${saturated(inUse)},"DynamicIPsAvailable":${saturated(free)}}`,
  );
  return `${json.slice(0, -1)},"Status":{"IPAM":{"Subnets":{${subnets.join(',')}}}}}`;
}

const MOST_UINT64 = (1n << 64n) - 1n;

function saturated(count: bigint): bigint {
  return count > MOST_UINT64 ? MOST_UINT64 : count;
}
