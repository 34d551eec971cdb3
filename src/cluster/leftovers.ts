/**
 * What one host has in the store: to be compared with its own record, or taken away with the host (`host-removal.ts`).
 */
import type { ClusterStore, StoredItem } from '../model/cluster-store.ts';
import { blocksOf, endpointsOf, nameIn, networksOfHost } from './keys.ts';
import { parseBlock, parseEndpoint, type EndpointValue } from './values.ts';

type Store = Pick<ClusterStore, 'get' | 'list' | 'transact'>;

/** The endpoints of one host in one network. */
export function ofHost(
  items: Iterable<StoredItem>,
  hostId: string,
): { readonly item: StoredItem; readonly value: EndpointValue }[] {
  return [...items].flatMap((item) => {
    const value = parseEndpoint(item.value);
    return value?.host === hostId ? [{ item, value }] : [];
  });
}

/** All that a host has in a network: endpoints, or blocks of addresses. */
export async function itemsOfHost(
  store: Pick<Store, 'list'>,
  networkId: string,
  hostId: string,
): Promise<readonly StoredItem[]> {
  const endpoints = await store.list(endpointsOf(networkId));
  const blocks = await store.list(blocksOf(networkId));
  return [
    ...ofHost(endpoints.items, hostId).map(({ item }) => item),
    ...blocks.items.filter(({ value }) => parseBlock(value)?.host === hostId),
  ];
}

/** Deletes keys as long as nobody wrote them since; answers how many. */
export async function deleteUnchanged(store: Store, items: readonly StoredItem[]): Promise<number> {
  let deleted = 0;
  for (const { key, revision } of items) {
    // Written by ourselves a moment ago, and not told yet.
    if (revision === '') continue;
    const answer = await store.transact({ expect: [{ key, revision }], operations: [{ kind: 'delete', key }] });
    if (answer.ok) deleted += 1;
  }
  return deleted;
}

/** The networks that a host said it has endpoints in. */
export async function networksOn(store: Store, hostId: string): Promise<string[]> {
  const { items } = await store.list(networksOfHost(hostId));
  return items.map(({ key }) => nameIn(key));
}
