/**
 * Networks that other hosts made, changed or removed: on record here as well, so that `ls` shows them and `connect` finds them. Their
 * links are made when the first container of this host joins.
 */
import { parsePrefix, overlaps } from '../model/address.ts';
import type { Network } from '../model/records.ts';
import { isOfCluster, localized } from './cluster.ts';
import type { EngineContext } from './context.ts';
import { finishNetworkRemoval } from './finish-network-removal.ts';
import type { Underlay } from '../plan/driver.ts';

/** Writes a network of the cluster down here. Answers why it cannot be, where it cannot. */
export function adoptNetwork(context: EngineContext, shared: Network, underlay: Underlay): string | undefined {
  const local = localized(context, shared, underlay);
  return context.ledger.changeNetworks((change) => {
    const known = change.network(local.id);
    // Which Docker has it is this host's alone to know.
    const network = known?.docker === undefined ? local : { ...local, docker: known.docker };
    if (known !== undefined && known.state !== 'active') return undefined;
    const other = change.networkByName(network.name);
    if (other !== undefined && other.id !== network.id) {
      return `a network of this host has its name (${other.id.slice(0, 12)}, driver ${other.driver}); remove or rename that one`;
    }
    const clash = change
      .networks()
      .find((one) => one.id !== network.id && one.pools.some((pool) => sharesSubnet(pool.subnet, network)));
    if (clash !== undefined) {
      return `its subnet overlaps that of network ${clash.name} (${clash.pools.map(({ subnet }) => subnet).join(', ')}) of this host`;
    }
    if (JSON.stringify(known) !== JSON.stringify(network)) change.putNetwork(network);
    return undefined;
  });
}

function sharesSubnet(subnet: string, { pools }: Network): boolean {
  return pools.some((pool) => overlaps(parsePrefix(pool.subnet), parsePrefix(subnet)));
}

/** Forgets a network that the cluster has no more. Answers false while containers of this host are on it. */
export async function forgetNetwork(context: EngineContext, networkId: string): Promise<boolean> {
  return context.lock.shared(async () => {
    const removing = context.ledger.changeNetworks((change) => {
      const network = change.network(networkId);
      if (network?.state !== 'active') return 'done';
      if (change.hasEndpoints(networkId)) return 'in-use';
      const next: Network = { ...network, state: 'removing', owner: context.self };
      change.putNetwork(next);
      return next;
    });
    if (removing === 'in-use') return false;
    if (removing !== 'done') await finishNetworkRemoval(context, removing);
    return true;
  });
}

/** The networks on record here that are the cluster's. */
export function clusterNetworks(context: EngineContext): Network[] {
  return context.ledger.read((view) => view.networks()).filter((network) => isOfCluster(context, network));
}
