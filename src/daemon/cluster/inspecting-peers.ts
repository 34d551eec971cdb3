/** An engine whose `inspect` shows a network of the cluster with the containers of all hosts. */
import type { Cluster } from '../../engine/cluster.ts';
import { withPeers } from '../../engine/docker-network.ts';
import type { Engine } from '../../engine/engine.ts';

export function inspectingPeers(engine: Engine, cluster: () => Cluster | undefined): Engine {
  return {
    ...engine,
    inspectNetwork: async (reference) => {
      const network = await engine.inspectNetwork(reference);
      const peers = network.Scope === 'global' ? await cluster()?.peers(network.Id) : undefined;
      return peers === undefined ? network : withPeers(network, peers);
    },
  };
}
