/**
 * What a network has on other hosts, as this one should know it: entries of its VXLAN device, and a guard in front of its port.
 *
 * Only who keeps in touch with the cluster (the daemon) knows them. To everybody else entries and guard are neither missing nor too
 * much: they are left as they are.
 */
import type { Network } from '../model/records.ts';
import type { Plan, Resource } from '../plan/resource.ts';
import type { EngineContext } from './context.ts';

/** The entries for all that the other hosts have of a network; undefined where that is not known. */
export function remoteEndsPlan(context: EngineContext, network: Network): Plan | undefined {
  const peers = context.remotePeers?.(network);
  if (peers === undefined) return undefined;
  const peerPlan = context.drivers.of(network)?.peerPlan;
  return peerPlan === undefined ? undefined : peers.flatMap((peer) => peerPlan(network, peer));
}

/**
 * The guards of these networks, what they share once: the same for one network as for many on one port. Undefined where the hosts of
 * the cluster are not known.
 */
export function guardPlan(context: EngineContext, networks: readonly Network[]): Plan | undefined {
  const vteps = context.clusterVteps?.();
  if (vteps === undefined) return undefined;
  const parts = new Map<string, Resource>();
  for (const network of networks) {
    for (const resource of context.drivers.of(network)?.guardPlan?.(network, vteps) ?? []) {
      parts.set(JSON.stringify(resource), resource);
    }
  }
  return [...parts.values()];
}
