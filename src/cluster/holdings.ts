/** What hosts have in the store, as a person counts it. */
import type { ClusterStore, StoredItem } from '../model/cluster-store.ts';
import { blocksOf, endpointsOf, nameIn, NETWORKS } from './keys.ts';
import { itemsOfHost, networksOn } from './leftovers.ts';
import { parseBlock, parseEndpoint } from './values.ts';

type Store = Pick<ClusterStore, 'get' | 'list' | 'transact'>;

/** What a host has of one network. */
export interface Holding {
  readonly networkId: string;
  /** "10.77.0.5" */
  readonly addresses: readonly string[];
  /** "10.77.3.0-24" */
  readonly blocks: readonly string[];
}

/** @param items All of one host */
export function holdingIn(networkId: string, items: readonly StoredItem[]): Holding {
  const isBlock = ({ key }: StoredItem): boolean => key.startsWith(blocksOf(networkId));
  return {
    networkId,
    addresses: items.filter((item) => !isBlock(item)).map(({ key }) => nameIn(key)),
    blocks: items.filter(isBlock).map(({ key }) => nameIn(key)),
  };
}

/** Of one host. Rejects where the store cannot be asked. */
export async function holdingsOf(store: Store, hostId: string): Promise<Holding[]> {
  const holdings: Holding[] = [];
  for (const networkId of await networksOn(store, hostId)) {
    holdings.push(holdingIn(networkId, await itemsOfHost(store, networkId, hostId)));
  }
  return holdings;
}

/** Networks that are read at a time. */
const AT_ONCE = 16;

/** Of all hosts, by id: everything that is in the store is read once. Rejects where it cannot be asked. */
export async function holdingsByHost(store: Pick<Store, 'list'>): Promise<ReadonlyMap<string, readonly Holding[]>> {
  const networkIds = (await store.list(NETWORKS)).items.map(({ key }) => nameIn(key));
  const holdings = new Map<string, Holding[]>();
  for (let at = 0; at < networkIds.length; at += AT_ONCE) {
    const found = await Promise.all(networkIds.slice(at, at + AT_ONCE).map((networkId) => inNetwork(store, networkId)));
    for (const [hostId, one] of found.flat()) holdings.set(hostId, [...(holdings.get(hostId) ?? []), one]);
  }
  return holdings;
}

async function inNetwork(store: Pick<Store, 'list'>, networkId: string): Promise<(readonly [string, Holding])[]> {
  const [endpoints, blocks] = await Promise.all([store.list(endpointsOf(networkId)), store.list(blocksOf(networkId))]);
  const byHost = new Map<string, StoredItem[]>();
  for (const item of [...endpoints.items, ...blocks.items]) {
    const host = (parseEndpoint(item.value) ?? parseBlock(item.value))?.host;
    if (host === undefined) continue;
    const items = byHost.get(host) ?? [];
    items.push(item);
    byHost.set(host, items);
  }
  return [...byHost].map(([host, items]) => [host, holdingIn(networkId, items)] as const);
}
