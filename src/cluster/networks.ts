/**
 * Networks of the cluster. A network is made by one transaction that claims its name, its subnets and its numbers; it is removed by
 * saying so first, looking that nobody is on it, and taking it back where somebody is: every attach compares the network's key.
 */
import type { ClusterStore, StoredItem, StoreOperation } from '../model/cluster-store.ts';
import { TsnetError } from '../model/error.ts';
import type { Network } from '../model/records.ts';
import { dockerHosts } from './docker-hosts.ts';
import { blocksOf, dockerKey, endpointsOf, networkKey, networkNameKey, nameIn, poolKey, vniKey } from './keys.ts';
import { networkIdIn, parseBlock, parseEndpoint, parseNetwork, type NetworkValue } from './values.ts';

type Store = Pick<ClusterStore, 'get' | 'list' | 'transact'>;

/** VNIs below are left to those who number networks by hand. */
const FIRST_VNI = 4096;
const VNI_COUNT = 2 ** 24 - FIRST_VNI;

/** So many numbers that probably nobody has: of 10,000 networks one in 1,600 meets another's. */
export function randomVnis(count: number, random: () => number): number[] {
  const vnis = new Set<number>();
  while (vnis.size < count) vnis.add(FIRST_VNI + Math.floor(random() * VNI_COUNT));
  return [...vnis];
}

/** What of a network's record all hosts share. */
function shared({ owner: _owner, docker: _docker, ...network }: Network): Network {
  return { ...network, state: 'active' };
}

/**
 * The keys that one network has, its own first. Subnets that overlap without being equal are found by each host, which knows the
 * networks of all.
 */
function keysOf(network: Network, vnis: readonly number[]): string[] {
  return [
    networkKey(network.id),
    networkNameKey(network.name),
    ...network.pools.map(({ subnet }) => poolKey(subnet)),
    ...vnis.map(vniKey),
  ];
}

export type CreateOutcome = 'made' | 'vni-taken';

/** @throws TsnetError CONFLICT, FORBIDDEN; RUNTIME or TIMEOUT where the store cannot be asked */
export async function createNetwork(store: Store, network: Network, vnis: readonly number[]): Promise<CreateOutcome> {
  const keys = keysOf(network, vnis);
  const value: NetworkValue = { state: 'active', network: shared(network) };
  const answer = await store.transact({
    expect: keys.map((key) => ({ key })),
    operations: keys.map((key, index) => ({
      kind: 'put',
      key,
      value: index === 0 ? JSON.stringify(value) : JSON.stringify({ network: network.id }),
    })),
  });
  if (answer.ok) return 'made';
  if ((await store.get(networkNameKey(network.name))) !== undefined) {
    throw new TsnetError('CONFLICT', `create network ${network.name}: another host made a network of that name`);
  }
  for (const { subnet } of network.pools) {
    if ((await store.get(poolKey(subnet))) !== undefined) {
      throw new TsnetError(
        'FORBIDDEN',
        `create network ${network.name}: subnet ${subnet} is another network's; choose another`,
      );
    }
  }
  return 'vni-taken';
}

/** The network that has a name, whichever host made it; undefined for one that is just being removed, too. */
export async function networkNamed(store: Pick<Store, 'get'>, name: string): Promise<Network | undefined> {
  const named = await store.get(networkNameKey(name));
  const id = named === undefined ? undefined : networkIdIn(named.value);
  const item = id === undefined ? undefined : await store.get(networkKey(id));
  const value = item === undefined ? undefined : parseNetwork(item.value);
  return value?.state === 'active' ? value.network : undefined;
}

/** Writes another record for a network, in the place of whichever there is. */
export async function updateNetwork(store: Store, network: Network): Promise<void> {
  const key = networkKey(network.id);
  const item = await store.get(key);
  if (item === undefined) return;
  const value: NetworkValue = { state: 'active', network: shared(network) };
  const answer = await store.transact({
    expect: [{ key, revision: item.revision }],
    operations: [{ kind: 'put', key, value: JSON.stringify(value) }],
  });
  if (answer.ok) return;
  throw new TsnetError('CONFLICT', `update network ${network.name}: another host is changing it; try again`);
}

/**
 * Removes a network that nobody is on; one that is gone already is success.
 * @throws TsnetError FORBIDDEN while there are endpoints, on whatever host
 */
export async function removeNetwork(
  store: Store,
  { network, vnis, self }: { readonly network: Network; readonly vnis: readonly number[]; readonly self: string },
): Promise<void> {
  const key = networkKey(network.id);
  const act = `remove network ${network.name}`;
  const item = await store.get(key);
  if (item === undefined) return;
  const value = parseNetwork(item.value);
  if (value === undefined)
    throw new TsnetError('UNSUPPORTED', `${act}: its record in the cluster store is not known here`);
  const deleting: NetworkValue = { ...value, state: 'deleting', by: self };
  const said = await store.transact({
    expect: [{ key, revision: item.revision }],
    operations: [{ kind: 'put', key, value: JSON.stringify(deleting) }],
  });
  if (!said.ok) throw new TsnetError('CONFLICT', `${act}: another host is changing it; try again`);
  const obstacle = await obstacleTo(store, network.id, self);
  if (obstacle !== undefined) {
    await store.transact({
      expect: [],
      operations: [{ kind: 'put', key, value: JSON.stringify({ state: 'active', network: value.network }) }],
    });
    throw new TsnetError('FORBIDDEN', `${act}: ${obstacle}`);
  }
  const operations = [...keysOf(network, vnis), dockerKey(network.id, self)].map((gone): StoreOperation => ({
    kind: 'delete',
    key: gone,
  }));
  await store.transact({ expect: [], operations });
}

/** Why a network cannot be removed by a host now, and what to do. */
async function obstacleTo(store: Store, networkId: string, self: string): Promise<string | undefined> {
  const items = await holdersOf(store, networkId);
  if (items.length > 0) return `it has active endpoints: ${holders(items)}; disconnect them first`;
  const dockers = (await dockerHosts(store, networkId)).filter(({ host }) => host !== self);
  if (dockers.length === 0) return undefined;
  return `Docker has it on host ${dockers.map(({ name }) => name).join(', ')}; \`docker network rm\` it there first`;
}

/** For a host to hear that a network is being removed, and to give back blocks in which it has nothing. */
const GIVEN_BACK_WITHIN_MS = 2000;
const LOOK_EVERY_MS = 100;

/** Who is on a network: endpoints, or blocks that their hosts do not give back. */
async function holdersOf(store: Store, networkId: string): Promise<readonly StoredItem[]> {
  const { items } = await store.list(endpointsOf(networkId));
  if (items.length > 0) return items;
  for (let waited = 0; ; waited += LOOK_EVERY_MS) {
    const blocks = await store.list(blocksOf(networkId));
    if (blocks.items.length === 0 || waited >= GIVEN_BACK_WITHIN_MS) return blocks.items;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

const MOST_NAMED = 5;

function holders(items: readonly StoredItem[]): string {
  const named = items.slice(0, MOST_NAMED).map(({ key, value }) => {
    const endpoint = parseEndpoint(value);
    const block = parseBlock(value);
    if (endpoint === undefined && block !== undefined) {
      return `block ${nameIn(key).replace('-', '/')} of host ${block.host}`;
    }
    return endpoint === undefined ? nameIn(key) : `${endpoint.names[0] ?? nameIn(key)} on host ${endpoint.host}`;
  });
  return items.length > MOST_NAMED ? `${named.join(', ')} and ${items.length - MOST_NAMED} more` : named.join(', ');
}
