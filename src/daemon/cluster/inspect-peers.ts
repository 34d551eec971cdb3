/** What `inspect` shows of a network beyond this host. */
import type { BlockLayout } from '../../cluster/block-layout.ts';
import type { ClusterStore, StoredItem } from '../../model/cluster-store.ts';
import type { KnownHost } from '../../cluster/hosts.ts';
import { blocksOf, endpointsOf, nameIn } from '../../cluster/keys.ts';
import type { Mirror } from '../../cluster/mirror.ts';
import { parseBlock, parseEndpoint, type EndpointValue } from '../../cluster/values.ts';
import type { NetworkPeers, RemoteEndpoint } from '../../engine/cluster.ts';

export interface PeersRequest {
  readonly store: ClusterStore;
  readonly networkId: string;
  /** Where the network's hosts have blocks of addresses. */
  readonly layout: BlockLayout | undefined;
  readonly self: string;
  readonly hosts: ReadonlyMap<string, KnownHost>;
  /** Absent where this host has nothing there: the store is asked. */
  readonly mirror: Mirror | undefined;
}

/** What cannot be asked now is left out. */
export async function peersOf(request: PeersRequest): Promise<NetworkPeers> {
  const { store, networkId, layout, self, hosts, mirror } = request;
  const prefix = layout === undefined ? endpointsOf(networkId) : blocksOf(networkId);
  const items = mirror?.isKnown() === true ? [...mirror.items().values()] : await listed(store, prefix);
  if (layout !== undefined) return blocksByHost(items, layout, hosts);
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

function blocksByHost(items: readonly StoredItem[], layout: BlockLayout, hosts: PeersRequest['hosts']): NetworkPeers {
  const byHost = new Map<string, { readonly index: number; readonly prefixes: readonly string[] }[]>();
  for (const { key, value } of items) {
    const [holder, block] = [parseBlock(value)?.host, layout.named(nameIn(key))];
    if (holder !== undefined && block !== undefined) byHost.set(holder, [...(byHost.get(holder) ?? []), block]);
  }
  return {
    hosts: [...byHost].flatMap(([id, blocks]) => {
      const host = hosts.get(id);
      if (host === undefined) return [];
      const inOrder = blocks.toSorted((a, b) => a.index - b.index).flatMap(({ prefixes }) => prefixes);
      return [{ name: host.value.name, address: host.value.vtep, state: host.state, blocks: inOrder }];
    }),
    endpoints: [],
  };
}

async function listed(store: ClusterStore, prefix: string): Promise<readonly StoredItem[]> {
  try {
    return (await store.list(prefix)).items;
  } catch {
    return [];
  }
}
