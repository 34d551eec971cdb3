/** What `inspect` shows of a network beyond this host. */
import type { ClusterStore, StoredItem } from '../../model/cluster-store.ts';
import type { KnownHost } from '../../cluster/hosts.ts';
import { endpointsOf, nameIn } from '../../cluster/keys.ts';
import type { Mirror } from '../../cluster/mirror.ts';
import { parseEndpoint, type EndpointValue } from '../../cluster/values.ts';
import type { NetworkPeers, RemoteEndpoint } from '../../engine/cluster.ts';

export interface PeersRequest {
  readonly store: ClusterStore;
  readonly networkId: string;
  readonly self: string;
  readonly hosts: ReadonlyMap<string, KnownHost>;
  /** Absent where this host has nothing there: the store is asked. */
  readonly mirror: Mirror | undefined;
}

/** What cannot be asked now is left out. */
export async function peersOf({ store, networkId, self, hosts, mirror }: PeersRequest): Promise<NetworkPeers> {
  const items = mirror?.isKnown() === true ? [...mirror.items().values()] : await listed(store, networkId);
  const endpoints = new Map<string, { readonly value: EndpointValue; readonly addresses: string[] }>();
  const present = new Set<string>();
  for (const { key, value: text } of items) {
    const value = parseEndpoint(text);
    if (value === undefined) continue;
    present.add(value.host);
    const name = `${value.host}/${value.id}`;
    const known = endpoints.get(name) ?? { value, addresses: [] };
    known.addresses.push(nameIn(key));
    endpoints.set(name, known);
  }
  return {
    hosts: [...present].flatMap((id) => {
      const host = hosts.get(id);
      return host === undefined ? [] : [{ name: host.value.name, address: host.value.vtep, state: host.state }];
    }),
    endpoints: [...endpoints.values()]
      .filter(({ value }) => value.host !== self)
      .map(({ value: { id, names, mac, host }, addresses }): RemoteEndpoint => ({
        sandboxId: id,
        name: names[0] ?? id.slice(0, 12),
        mac,
        addresses: addresses.toSorted(),
        host: hosts.get(host)?.value.name ?? host,
      })),
  };
}

async function listed(store: ClusterStore, networkId: string): Promise<readonly StoredItem[]> {
  try {
    return (await store.list(endpointsOf(networkId))).items;
  } catch {
    return [];
  }
}
