/** A network whose addresses are claimed one by one, in the whole cluster: every host knows every container. */
import { claimValue, openClaims, type ClaimedAddresses } from '../../cluster/claims.ts';
import { pause } from '../../cluster/clock.ts';
import { endpointKey, endpointsOf } from '../../cluster/keys.ts';
import { ofHost } from '../../cluster/leftovers.ts';
import { ENDPOINTS } from '../../cluster/peers.ts';
import { parseEndpoint } from '../../cluster/values.ts';
import type { ClaimRequest } from '../../engine/cluster.ts';
import { followDirectory } from './followed-directory.ts';
import { HEARD_MS, type JoinedNetwork, type JoinOptions } from './joined-network.ts';
import { reconcileOwn } from './own-endpoints.ts';

export function joinByAddress(options: JoinOptions): JoinedNetwork {
  const { context, store, network, self, hosts, clock, log, quarantineMs, beInTouch } = options;
  const directory = followDirectory(options, { prefix: endpointsOf(network.id), reading: ENDPOINTS });
  const { mirror } = directory;
  const claims = openClaims({ store, self, mirror, clock, random: Math.random, quarantineMs });
  /** Ours are in the kernel, and known here, before the store tells. */
  const wrote = (request: ClaimRequest, addresses: readonly string[]): void => {
    const value = JSON.stringify(claimValue(request, addresses, self));
    for (const address of addresses) directory.wrote({ key: endpointKey(network.id, address), value, revision: '' });
  };
  const addressesOf = ({ ip, ip6 }: ClaimedAddresses): string[] => [ip, ip6].filter((address) => address !== undefined);
  return {
    ...directory,
    network,
    nameOf: (address) => {
      const item = mirror.item(endpointKey(network.id, address));
      const endpoint = item === undefined ? undefined : parseEndpoint(item.value);
      if (endpoint === undefined || endpoint.host === self) return undefined;
      return (hosts.find(endpoint.host)?.state ?? 'dead') === 'dead' ? undefined : endpoint.names[0];
    },
    doubt: () => undefined,
    claim: async (request) => {
      beInTouch();
      await directory.untilListed();
      const claimed = await claims.claim(request);
      const heard = pause(clock, HEARD_MS);
      wrote(request, addressesOf(claimed));
      return { ...claimed, heard };
    },
    assign: async (request) => {
      beInTouch();
      await claims.assign(request);
      wrote(request, addressesOf(request));
    },
    settle: (addresses) => {
      claims.settle(addresses);
    },
    release: async (sandboxId, addresses) => {
      beInTouch();
      await claims.release(network.id, sandboxId, addresses);
    },
    reconcile: () => reconcileOwn({ context, store, self, log }, { network, mirror, claims }),
    dueInMs: () => undefined,
    isClear: () => ofHost(mirror.items().values(), self).length === 0,
    counts: () => ({ endpoints: mirror.items().size }),
  };
}
