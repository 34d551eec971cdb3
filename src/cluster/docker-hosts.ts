/**
 * Hosts whose Docker has a network of the cluster. Each has it by an id of its own, whether containers are on it or not, and would be
 * left with a network that is none if another host removed it.
 */
import type { ClusterStore } from '../model/cluster-store.ts';
import { TsnetError } from '../model/error.ts';
import type { Network } from '../model/records.ts';
import { dockerKey, dockersOf, nameIn, networkKey, NETWORKS } from './keys.ts';
import { parseDockerHost, parseNetwork } from './values.ts';

type Store = Pick<ClusterStore, 'get' | 'list' | 'transact'>;

export interface DockerHost {
  readonly host: string;
  /** What people call it. */
  readonly name: string;
}

export async function dockerHosts(store: Pick<Store, 'list'>, networkId: string): Promise<DockerHost[]> {
  const { items } = await store.list(dockersOf(networkId));
  return items.map(({ key, value }) => ({ host: nameIn(key), name: parseDockerHost(value)?.name ?? nameIn(key) }));
}

/** Each try that fails was crossed by a change of somebody else's. */
const MOST_TRIES = 16;

/**
 * Says that a host's Docker has a network from now on.
 * @throws TsnetError NOT_FOUND where the network is going
 */
export async function enterDockerHost(store: Store, network: Network, { host, name }: DockerHost): Promise<void> {
  const key = networkKey(network.id);
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const item = await store.get(key);
    if (item === undefined || parseNetwork(item.value)?.state !== 'active') break;
    const answer = await store.transact({
      expect: [{ key, revision: item.revision }],
      operations: [{ kind: 'put', key: dockerKey(network.id, host), value: JSON.stringify({ name }) }],
    });
    if (answer.ok) return;
  }
  throw new TsnetError('NOT_FOUND', `have Docker use network ${network.name}: the network is being removed; try again`);
}

/** What is gone already is success. */
export async function leaveDockerHost(store: Store, networkId: string, host: string): Promise<void> {
  await store.transact({ expect: [], operations: [{ kind: 'delete', key: dockerKey(networkId, host) }] });
}

/** The keys of a host's Docker, in all networks. */
export async function keysOfDockerHost(store: Pick<Store, 'get' | 'list'>, host: string): Promise<string[]> {
  const { items } = await store.list(NETWORKS);
  const keys = items.map(({ key }) => dockerKey(nameIn(key), host));
  const found = await Promise.all(keys.map((key) => store.get(key)));
  return keys.filter((_, index) => found[index] !== undefined);
}
