/**
 * Networks, sandboxes and endpoints: how each is found.
 */
import type { Endpoint, Network, Sandbox } from '../model/records.ts';
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

export function endpointsOfNetworkPrefix(networkId: string): string {
  return `endpoint-of-network/${networkId}/`;
}

export function endpointsOfSandboxPrefix(sandboxId: string): string {
  return `endpoint-of-sandbox/${sandboxId}/`;
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

export const SANDBOXES: RecordTable<Sandbox> = {
  name: 'sandbox',
  unique: ({ name }) => [{ key: sandboxNameKey(name), what: `name ${name}` }],
  // The kernel reuses inode numbers of namespaces: the latest sandbox is the one that has it now. Who shares one does not have it.
  indexes: ({ id, netns, shares, state }) => [
    ...(shares === undefined ? [netnsKey(netns)] : []),
    ...(state === 'running' ? [] : [pendingKey('sandbox', id)]),
  ],
};

export const ENDPOINTS: RecordTable<Endpoint> = {
  name: 'endpoint',
  unique: () => [],
  indexes: ({ id, networkId, sandboxId, state }) => [
    `${endpointsOfNetworkPrefix(networkId)}${id}`,
    `${endpointsOfSandboxPrefix(sandboxId)}${id}`,
    ...(state === 'attached' ? [] : [pendingKey('endpoint', id)]),
  ],
};
