/** The hosts of the cluster, and removing one that will not come back. */
import { TsnetError } from '../model/error.ts';
import { requiredCluster, type ClusterHost, type RemovedHost, type RemoveHostRequest } from './cluster.ts';
import type { EngineContext } from './context.ts';

/** @throws TsnetError UNSUPPORTED without a store in daemon.json, RUNTIME without a daemon or where the store cannot be asked */
export async function listClusterHosts(context: EngineContext): Promise<ClusterHost[]> {
  const act = 'list the hosts of the cluster';
  const cluster = requiredCluster(context, act, 'a cluster needs');
  return cluster.hosts().catch((error: unknown) => {
    throw named(act, error);
  });
}

/** @throws TsnetError as `Cluster.removeHost` */
export async function removeClusterHost(context: EngineContext, request: RemoveHostRequest): Promise<RemovedHost> {
  const act = `remove host ${request.host}`;
  const cluster = requiredCluster(context, act, 'a cluster needs');
  return cluster.removeHost(request).catch((error: unknown) => {
    throw named(act, error);
  });
}

/** The store knows what it could not do, and not what for. */
function named(act: string, error: unknown): unknown {
  if (!(error instanceof TsnetError) || (error.code !== 'RUNTIME' && error.code !== 'TIMEOUT')) return error;
  return new TsnetError(error.code, `${act}: ${error.message}`, { cause: error });
}
