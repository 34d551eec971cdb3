/**
 * The ledger's contract over two sets of pairs: the durable one with the networks, the volatile one with all the rest.
 */
import type { ChangedSysctl, LedgerChange, LedgerView, NetworkChange, Pending } from '../model/ledger.ts';
import type { Endpoint } from '../model/records.ts';
import type { KeyValues } from './key-values.ts';
import { ephemeralKey, META, realizedKey } from './keys.ts';
import { allLeases, forgetLeases, holdAddress, leaseHolder, leasesFor, releaseAddress } from './leases.ts';
import { allPorts, claimPort, portConflicts, releasePort } from './ports.ts';
import { allRecords, deleteRecord, getRecord, putRecord, recordBy, recordsUnder } from './record-table.ts';
import {
  aliasOnNetworkPrefix,
  aliasPrefix,
  DOCKER_POOLS,
  ENDPOINTS,
  endpointsOfNetworkPrefix,
  endpointsOfSandboxPrefix,
  namedSandboxesPrefix,
  netnsKey,
  runtimeKey,
  networkNameKey,
  NETWORKS,
  PENDING,
  SANDBOXES,
  sandboxNameKey,
  wildcardsPrefix,
} from './tables.ts';

export interface Parts {
  readonly networks: KeyValues;
  readonly endpoints: KeyValues;
}

const SYSCTLS = 'sysctl/';

function pendingIn(pairs: KeyValues): Pending[] {
  return pairs.under(PENDING).map(({ key, value }) => ({
    kind: key.slice(PENDING.length, key.lastIndexOf('/')) as Pending['kind'],
    id: value as string,
  }));
}

function hasKeys(pairs: KeyValues, prefix: string): boolean {
  return pairs.atOrAfter(prefix, prefix) !== undefined;
}

function endpointsNamed(pairs: KeyValues, networkId: string, name: string): Endpoint[] {
  const byAlias = recordsUnder(pairs, ENDPOINTS, aliasOnNetworkPrefix(name, networkId));
  const bySandbox = pairs
    .under(namedSandboxesPrefix(name))
    .flatMap(({ value }) => recordsUnder(pairs, ENDPOINTS, endpointsOfSandboxPrefix(value as string)))
    .filter((endpoint) => endpoint.networkId === networkId);
  // An alias may repeat the sandbox's own name.
  return [...new Map([...bySandbox, ...byAlias].map((endpoint) => [endpoint.id, endpoint])).values()];
}

export function viewOf({ networks, endpoints }: Parts): LedgerView {
  return {
    installationId: () => networks.get(META.installation) as string,
    networks: () => allRecords(networks, NETWORKS),
    network: (id) => getRecord(networks, NETWORKS, id),
    networkByName: (name) => recordBy(networks, NETWORKS, networkNameKey(name)),
    dockerPools: () => allRecords(networks, DOCKER_POOLS),
    dockerPool: (id) => getRecord(networks, DOCKER_POOLS, id),
    revision: () => (endpoints.get(META.revision) as number | undefined) ?? 0,
    networkGeneration: () => (networks.get(META.generation) as number | undefined) ?? 0,
    sandboxes: () => allRecords(endpoints, SANDBOXES),
    sandbox: (id) => getRecord(endpoints, SANDBOXES, id),
    sandboxByName: (name) => recordBy(endpoints, SANDBOXES, sandboxNameKey(name)),
    sandboxByNetns: (netns) => recordBy(endpoints, SANDBOXES, netnsKey(netns)),
    sandboxOfRuntime: (kind, id) => recordBy(endpoints, SANDBOXES, runtimeKey(kind, id)),
    endpoints: () => allRecords(endpoints, ENDPOINTS),
    endpoint: (id) => getRecord(endpoints, ENDPOINTS, id),
    endpointsOfNetwork: (networkId) => recordsUnder(endpoints, ENDPOINTS, endpointsOfNetworkPrefix(networkId)),
    hasEndpoints: (networkId) => hasKeys(endpoints, endpointsOfNetworkPrefix(networkId)),
    endpointsOfSandbox: (sandboxId) =>
      recordsUnder(endpoints, ENDPOINTS, endpointsOfSandboxPrefix(sandboxId)).sort((a, b) => a.ordinal - b.ordinal),
    endpointsNamed: (networkId, name) => endpointsNamed(endpoints, networkId, name),
    isName: (name) => [namedSandboxesPrefix(name), aliasPrefix(name)].some((prefix) => hasKeys(endpoints, prefix)),
    hasWildcards: (networkId) => hasKeys(endpoints, wildcardsPrefix(networkId)),
    leases: (networkId) => allLeases(endpoints, networkId),
    lease: (networkId, address) => leaseHolder(endpoints, networkId, address),
    leasesFor: (networkId, family) => leasesFor(endpoints, networkId, family),
    ports: () => allPorts(endpoints),
    portConflicts: (wanted) => portConflicts(endpoints, wanted),
    lastEphemeralPort: (protocol) => endpoints.get(ephemeralKey(protocol)) as number | undefined,
    pending: () => [...pendingIn(networks), ...pendingIn(endpoints)],
    changedSysctls: () => endpoints.under(SYSCTLS).map(({ value }) => value as ChangedSysctl),
    isRealized: (networkId) => endpoints.get(realizedKey(networkId)) === true,
  };
}

export function changeOf(parts: Parts): LedgerChange {
  const { endpoints } = parts;
  return {
    ...viewOf(parts),
    putSandbox: (sandbox) => {
      putRecord(endpoints, SANDBOXES, sandbox);
    },
    deleteSandbox: (id) => {
      deleteRecord(endpoints, SANDBOXES, id);
    },
    putEndpoint: (endpoint) => {
      putRecord(endpoints, ENDPOINTS, endpoint);
    },
    deleteEndpoint: (id) => {
      deleteRecord(endpoints, ENDPOINTS, id);
    },
    holdAddress: (networkId, address, holder, how) => {
      holdAddress(endpoints, { networkId, address, holder, how });
    },
    releaseAddress: (networkId, address) => {
      releaseAddress(endpoints, networkId, address);
    },
    forgetNetwork: (networkId) => {
      forgetLeases(endpoints, networkId);
      endpoints.remove(realizedKey(networkId));
    },
    claimPort: (claim) => claimPort(endpoints, claim),
    releasePort: (claim) => {
      releasePort(endpoints, claim);
    },
    setLastEphemeralPort: (protocol, port) => {
      endpoints.put(ephemeralKey(protocol), port);
    },
    setRealized: (networkId, realized) => {
      if (realized) endpoints.put(realizedKey(networkId), true);
      else endpoints.remove(realizedKey(networkId));
    },
    recordSysctl: (changed) => {
      const known = endpoints.get(`${SYSCTLS}${changed.key}`) as ChangedSysctl | undefined;
      // The value of before our first change is the one to give back.
      endpoints.put(`${SYSCTLS}${changed.key}`, { ...changed, before: known?.before ?? changed.before });
    },
  };
}

export function networkChangeOf(parts: Parts): NetworkChange {
  return {
    ...changeOf(parts),
    putNetwork: (network) => {
      putRecord(parts.networks, NETWORKS, network);
    },
    deleteNetwork: (id) => {
      deleteRecord(parts.networks, NETWORKS, id);
    },
    putDockerPool: (pool) => {
      putRecord(parts.networks, DOCKER_POOLS, pool);
    },
    deleteDockerPool: (id) => {
      deleteRecord(parts.networks, DOCKER_POOLS, id);
    },
  };
}
