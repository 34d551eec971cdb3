/** The store that daemon.json names. Only who needs it loads its client. */
import type { ClusterStoreAddress, ClusterStoreOptions } from '../../model/cluster-address.ts';
import type { ClusterStore } from '../../model/cluster-store.ts';
import { TsnetError } from '../../model/error.ts';

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
 * @throws TsnetError UNSUPPORTED when the store cannot do what the options ask for
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
    case 'zookeeper': {
      if (options.ca !== undefined || options.cert !== undefined) {
        throw new TsnetError(
          'UNSUPPORTED',
          'cluster store zk://: no TLS: take "ca", "cert" and "key" out of cluster-store-opts',
        );
      }
      const { openZookeeper } = await import('./zookeeper/open-zookeeper.ts');
      return openZookeeper({ endpoints, options, root, timeoutMs });
    }
  }
}
