/** The store that daemon.json names. Only who needs it loads its client. */
import type { ClusterStoreAddress, ClusterStoreOptions } from '../../model/cluster-address.ts';
import type { ClusterStore } from '../../model/cluster-store.ts';

export interface ClusterStoreRequest {
  readonly store: ClusterStoreAddress;
  readonly options?: ClusterStoreOptions;
  /** Longest time that a call may take, milliseconds; 2 s unless told. */
  readonly timeoutMs?: number;
}

/** Above all our keys, so that another layout can stand beside this one some day. */
const ROOT = 'tsnet/v1/';

/**
 * Opens the store; it connects with the first call, and again by itself whenever it must.
 *
 * @throws TsnetError CONFIG when a file of the options cannot be read
 */
export async function openClusterStore({
  store,
  options = {},
  timeoutMs = 2_000,
}: ClusterStoreRequest): Promise<ClusterStore> {
  const { kind, endpoints, path } = store;
  const root = `/${path === '' ? '' : `${path}/`}${ROOT}`;
  switch (kind) {
    case 'etcd': {
      const { openEtcd } = await import('./etcd/open-etcd.ts');
      return openEtcd({ endpoints, options, root, timeoutMs });
    }
    case 'zookeeper':
    case 'consul':
      throw new Error('not yet');
  }
}
