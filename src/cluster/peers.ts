/**
 * What the kernel of this host should know of the endpoints of one network that are on other hosts.
 *
 * Endpoints of hosts that are dead, or that nobody has seen yet, stay on record and out of the kernel: when their host returns they
 * are there again without a write to the store.
 */
import type { Peer } from '../plan/driver.ts';
import type { Plan, Resource } from '../plan/resource.ts';
import type { HostState } from './hosts.ts';
import { nameIn } from './keys.ts';
import type { Change } from './mirror.ts';
import { parseEndpoint, type EndpointValue } from './values.ts';
import type { StoredItem } from '../model/cluster-store.ts';

/** An endpoint on another host, as a driver plans it. */
export type EndpointPeer = Extract<Peer, { readonly kind: 'endpoint' }>;

export interface PeerTableOptions {
  readonly self: string;
  /** Where a host is; undefined: nobody knows. */
  readonly hostOf: (hostId: string) => { readonly vtep: string; readonly state: HostState } | undefined;
  /** The driver's. */
  readonly planOf: (peer: EndpointPeer) => Plan;
}

/** From what the kernel has to what it should have; what is gone goes first, in reverse. */
export interface PeerChange {
  readonly remove: Plan;
  readonly add: Plan;
}

export interface PeerTable {
  apply(changes: readonly Change[]): void;
  /** Hosts that came, went or moved. */
  hostsChanged(hostIds: readonly string[]): void;
  /** What is to be done since the last call; the caller does it, or says `failed`. */
  take(): PeerChange;
  /** The kernel refused: all is to be made true again. */
  failed(): void;
  /** Addresses of those that answer to a name, in lower case. */
  named(name: string): readonly string[];
  /** Who should be in the kernel. */
  peers(): EndpointPeer[];
  /** All that the kernel should have. */
  wanted(): Plan;
  /** All that it has, for leaving. */
  programmed(): Plan;
}

/** One endpoint: all keys that its sandbox has in the network. */
interface Group {
  value: EndpointValue;
  readonly addresses: Set<string>;
  /** As the kernel has it; empty: not at all. */
  plan: Plan;
}

export function openPeerTable({ self, hostOf, planOf }: PeerTableOptions, known: Iterable<StoredItem> = []): PeerTable {
  const groups = new Map<string, Group>();
  /** Names of groups by host: a host that comes or goes costs what it has, not what all have. */
  const ofHost = new Map<string, Set<string>>();
  /** How many endpoints need a resource that the kernel has: what two share goes with the second. */
  const uses = new Map<string, number>();
  const dirty = new Set<string>();
  /** Made when somebody asks, of what is known then. */
  let byName: Map<string, string[]> | undefined;
  const nameOf = ({ host, id }: EndpointValue): string => `${host}/${id}`;

  const drop = ({ key, value }: StoredItem): void => {
    const endpoint = parseEndpoint(value);
    if (endpoint === undefined || endpoint.host === self) return;
    groups.get(nameOf(endpoint))?.addresses.delete(nameIn(key));
    dirty.add(nameOf(endpoint));
  };
  const put = ({ key, value }: StoredItem): void => {
    const endpoint = parseEndpoint(value);
    if (endpoint === undefined || endpoint.host === self) return;
    const name = nameOf(endpoint);
    const group = groups.get(name) ?? { value: endpoint, addresses: new Set<string>(), plan: [] };
    group.value = endpoint;
    group.addresses.add(nameIn(key));
    groups.set(name, group);
    ofHost.set(endpoint.host, (ofHost.get(endpoint.host) ?? new Set()).add(name));
    dirty.add(name);
  };
  const forget = (name: string, { value: { host } }: Group): void => {
    groups.delete(name);
    const names = ofHost.get(host);
    names?.delete(name);
    if (names?.size === 0) ofHost.delete(host);
  };
  const peerOf = ({ value, addresses }: Group): EndpointPeer[] => {
    const host = hostOf(value.host);
    if (addresses.size === 0 || host === undefined || host.state === 'dead') return [];
    return [{ kind: 'endpoint', addresses: [...addresses].toSorted(), mac: value.mac, vtep: host.vtep }];
  };
  const planFor = (group: Group): Plan => peerOf(group).flatMap(planOf);

  const count = (resource: Resource, by: 1 | -1): number => {
    const text = JSON.stringify(resource);
    const now = (uses.get(text) ?? 0) + by;
    if (now === 0) uses.delete(text);
    else uses.set(text, now);
    return now;
  };

  const indexNames = (): Map<string, string[]> => {
    const index = new Map<string, string[]>();
    for (const group of groups.values()) {
      const addresses = peerOf(group).flatMap((peer) => peer.addresses);
      for (const name of group.value.names) index.set(name, [...(index.get(name) ?? []), ...addresses]);
    }
    return index;
  };

  for (const item of known) put(item);
  return {
    apply: (changes) => {
      byName = undefined;
      for (const { before, after } of changes) {
        if (before !== undefined) drop(before);
        if (after !== undefined) put(after);
      }
    },
    hostsChanged: (hostIds) => {
      for (const name of hostIds.flatMap((hostId) => [...(ofHost.get(hostId) ?? [])])) {
        byName = undefined;
        dirty.add(name);
      }
    },
    take: () => {
      const remove: Resource[] = [];
      const add: Resource[] = [];
      for (const name of dirty) {
        const group = groups.get(name);
        if (group === undefined) continue;
        const plan = planFor(group);
        for (const resource of plan) if (count(resource, 1) === 1) add.push(resource);
        for (const resource of group.plan) if (count(resource, -1) === 0) remove.push(resource);
        group.plan = plan;
        if (group.addresses.size === 0) forget(name, group);
      }
      dirty.clear();
      return { remove, add };
    },
    failed: () => {
      uses.clear();
      for (const [name, group] of groups) {
        group.plan = [];
        dirty.add(name);
      }
    },
    named: (name) => (byName ??= indexNames()).get(name) ?? [],
    peers: () => [...groups.values()].flatMap(peerOf),
    wanted: () => [...groups.values()].flatMap(planFor),
    programmed: () => [...groups.values()].flatMap(({ plan }) => plan),
  };
}
