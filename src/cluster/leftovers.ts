/**
 * What is in the store and should not be any more: the keys of our own containers that ended while we could not tell, and those
 * of hosts that never came back.
 */
import { MAX_OPERATIONS, type ClusterStore, type StoredItem } from '../model/cluster-store.ts';
import { keysOfDockerHost } from './docker-hosts.ts';
import { blocksOf, endpointsOf, hostKey, nameIn, networkOfHostKey, networksOfHost, registrationKey } from './keys.ts';
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

/**
 * Deletes all that a host left behind, as long as it is not there. Answers how many addresses and blocks it had; undefined when it came back
 * meanwhile.
 */
export async function removeHost(store: Store, hostId: string): Promise<number | undefined> {
  let removed = 0;
  for (const networkId of await networksOn(store, hostId)) {
    const items = await itemsOfHost(store, networkId, hostId);
    const keys = [...items.map(({ key }) => key), networkOfHostKey(hostId, networkId)];
    for (let at = 0; at < keys.length; at += MAX_OPERATIONS) {
      const answer = await store.transact({
        expect: [{ key: hostKey(hostId) }],
        operations: keys.slice(at, at + MAX_OPERATIONS).map((key) => ({ kind: 'delete', key })),
      });
      if (!answer.ok) return undefined;
    }
    removed += keys.length - 1;
  }
  for (const key of [...(await keysOfDockerHost(store, hostId)), registrationKey(hostId)]) {
    await store.transact({ expect: [{ key: hostKey(hostId) }], operations: [{ kind: 'delete', key }] });
  }
  return removed;
}
