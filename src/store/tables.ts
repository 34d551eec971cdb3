/**
 * Networks, sandboxes and endpoints: how each is found.
 */
import { shortId } from '../model/ids.ts';
import type { DockerPool, Endpoint, Network, RuntimeKind, Sandbox } from '../model/records.ts';
import type { RecordTable } from './record-table.ts';

export function networkNameKey(name: string): string {
  return `network-name/${name}`;
}

export function sandboxNameKey(name: string): string {
  return `sandbox-name/${name}`;
}

export function netnsKey({ device, inode }: { readonly device: number; readonly inode: number }): string {
  return `sandbox-netns/${device}:${inode}`;
}

export function runtimeKey(kind: RuntimeKind, id: string): string {
  return `sandbox-of-runtime/${kind}/${id}`;
}

export function endpointsOfNetworkPrefix(networkId: string): string {
  return `endpoint-of-network/${networkId}/`;
}

export function endpointsOfSandboxPrefix(sandboxId: string): string {
  return `endpoint-of-sandbox/${sandboxId}/`;
}

/** Whatever answers to a name in lower case: the sandboxes of that name, and those whose short id it is. */
export function namedSandboxesPrefix(name: string): string {
  return `named-sandbox/${name}/`;
}

/** The aliases, over all networks. Names in lower case. */
export function aliasPrefix(name: string): string {
  return `alias/${name}/`;
}

export function aliasOnNetworkPrefix(name: string, networkId: string): string {
  return `${aliasPrefix(name)}${networkId}/`;
}

export function wildcardsPrefix(networkId: string): string {
  return `wildcard/${networkId}/`;
}

/** Transient records; few, so that finding them costs nothing. */
export const PENDING = 'pending/';

function pendingKey(kind: 'network' | 'sandbox' | 'endpoint', id: string): string {
  return `${PENDING}${kind}/${id}`;
}

export const NETWORKS: RecordTable<Network> = {
  name: 'network',
  unique: ({ name }) => [{ key: networkNameKey(name), what: `name ${name}` }],
  indexes: ({ id, state }) => (state === 'active' ? [] : [pendingKey('network', id)]),
};

export const DOCKER_POOLS: RecordTable<DockerPool> = { name: 'docker-pool', unique: () => [], indexes: () => [] };

function namedSandboxKeys(id: string, name: string): string[] {
  const names = new Set([name.toLowerCase(), shortId(id)]);
  return [...names].map((each) => `${namedSandboxesPrefix(each)}${id}`);
}

export const SANDBOXES: RecordTable<Sandbox> = {
  name: 'sandbox',
  unique: ({ name }) => [{ key: sandboxNameKey(name), what: `name ${name}` }],
  // The kernel reuses inode numbers of namespaces: the latest sandbox is the one that has it now. Who shares one does not have it.
  indexes: ({ id, name, netns, origin, shares, state }) => [
    ...(shares === undefined ? [netnsKey(netns), ...namedSandboxKeys(id, name)] : []),
    ...('id' in origin ? [runtimeKey(origin.kind, origin.id)] : []),
    ...(state === 'running' ? [] : [pendingKey('sandbox', id)]),
  ],
};

export const ENDPOINTS: RecordTable<Endpoint> = {
  name: 'endpoint',
  unique: () => [],
  indexes: ({ id, networkId, sandboxId, aliases, state }) => [
    `${endpointsOfNetworkPrefix(networkId)}${id}`,
    `${endpointsOfSandboxPrefix(sandboxId)}${id}`,
    ...aliases.flatMap((alias) => [
      `${aliasOnNetworkPrefix(alias.toLowerCase(), networkId)}${id}`,
      ...(alias.startsWith('*') ? [`${wildcardsPrefix(networkId)}${id}`] : []),
    ]),
    ...(state === 'attached' ? [] : [pendingKey('endpoint', id)]),
  ],
};
