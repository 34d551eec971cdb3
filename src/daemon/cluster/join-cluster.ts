/** Opens the store that daemon.json names, and this host's part in the cluster. Reached by `import()`: most daemons are in none. */
import { openClusterStore } from '../../store/cluster/open-cluster-store.ts';
import { openCluster, type ClusterOptions, type ClusterPart } from './open-cluster.ts';

/** @throws TsnetError as `openCluster` */
export async function joinCluster(options: Omit<ClusterOptions, 'store'>): Promise<ClusterPart> {
  const { store: address, storeOptions } = options.config;
  const store = await openClusterStore({ store: address, options: storeOptions });
  try {
    return await openCluster({ ...options, store });
  } catch (error) {
    await store.close();
    throw error;
  }
}
