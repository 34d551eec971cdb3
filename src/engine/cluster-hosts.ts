/** The hosts of the cluster, and removing one that will not come back. */
import type { ClusterHost, RemovedHost, RemoveHostRequest } from './cluster.ts';
import { requiredCluster } from './cluster.ts';
import type { EngineContext } from './context.ts';

/** @throws TsnetError UNSUPPORTED without a store in daemon.json, RUNTIME without a daemon or where the store cannot be asked */
export async function listClusterHosts(context: EngineContext): Promise<ClusterHost[]> {
  return requiredCluster(context, 'list the hosts of the cluster', 'a cluster needs').hosts();
}

/** @throws TsnetError as `Cluster.removeHost` */
export async function removeClusterHost(context: EngineContext, request: RemoveHostRequest): Promise<RemovedHost> {
  return requiredCluster(context, `remove host ${request.host}`, 'a cluster needs').removeHost(request);
}
