/**
 * What the kernel of this host should know of what other hosts have of one network: their endpoints, or, where hosts have blocks of
 * addresses, their blocks.
 *
 * What hosts have that are dead, or that nobody has seen yet, stay on record and out of the kernel: when their host returns they
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

/** What the keys of a network say, and how several of them are one peer. */
export interface PeerReading<V extends { readonly host: string }, P extends Peer> {
  /** Undefined for what this tsnet cannot read. */
  readonly read: (text: string) => V | undefined;
  /** Keys of one group are one peer, on one host. */
  readonly groupOf: (value: V) => string;
  /** Names that it answers to, in lower case. */
  readonly namesOf: (value: V) => readonly string[];
  /** `members`: what its keys are called, sorted. */
  readonly peer: (value: V, members: readonly string[], vtep: string) => P;
}

/** Containers of other hosts: the keys of all addresses that a sandbox has. */
export const ENDPOINTS: PeerReading<EndpointValue, EndpointPeer> = {
  read: parseEndpoint,
  groupOf: ({ host, id }) => `${host}/${id}`,
  namesOf: ({ names }) => names,
  peer: ({ mac }, addresses, vtep) => ({ kind: 'endpoint', addresses, mac, vtep }),
};

export interface PeerTableOptions<P extends Peer = EndpointPeer> {
  readonly self: string;
  /** Where a host is; undefined: nobody knows. */
  readonly hostOf: (hostId: string) => { readonly vtep: string; readonly state: HostState } | undefined;
  /** The driver's. */
  readonly planOf: (peer: P) => Plan;
}

/** From what the kernel has to what it should have; what is gone goes first, in reverse. */
export interface PeerChange {
  readonly remove: Plan;
  readonly add: Plan;
}

export interface PeerTable<P extends Peer = EndpointPeer> {
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
  peers(): P[];
  /** All that the kernel should have. */
  wanted(): Plan;
  /** All that it has, for leaving. */
  programmed(): Plan;
}

/** One peer: all keys of its group. */
interface Group<V> {
  value: V;
  readonly members: Set<string>;
  /** As the kernel has it; empty: not at all. */
  plan: Plan;
}

export function openPeerTable(options: PeerTableOptions, known: Iterable<StoredItem> = []): PeerTable {
  return openTableOf(ENDPOINTS, options, known);
}

export function openTableOf<V extends { readonly host: string }, P extends Peer>(
  { read, groupOf, namesOf, peer: peerFrom }: PeerReading<V, P>,
  { self, hostOf, planOf }: PeerTableOptions<P>,
  known: Iterable<StoredItem> = [],
): PeerTable<P> {
  const groups = new Map<string, Group<V>>();
  /** Names of groups by host: a host that comes or goes costs what it has, not what all have. */
  const ofHost = new Map<string, Set<string>>();
  /** How many peers need a resource that the kernel has: what two share goes with the second. */
  const uses = new Map<string, number>();
  const dirty = new Set<string>();
  /** Made when somebody asks, of what is known then. */
  let byName: Map<string, string[]> | undefined;

  const drop = ({ key, value }: StoredItem): void => {
    const part = read(value);
    if (part === undefined || part.host === self) return;
    groups.get(groupOf(part))?.members.delete(nameIn(key));
    dirty.add(groupOf(part));
  };
  const put = ({ key, value }: StoredItem): void => {
    const part = read(value);
    if (part === undefined || part.host === self) return;
    const name = groupOf(part);
    const group = groups.get(name) ?? { value: part, members: new Set<string>(), plan: [] };
    group.value = part;
    group.members.add(nameIn(key));
    groups.set(name, group);
    ofHost.set(part.host, (ofHost.get(part.host) ?? new Set()).add(name));
    dirty.add(name);
  };
  const forget = (name: string, { value: { host } }: Group<V>): void => {
    groups.delete(name);
    const names = ofHost.get(host);
    names?.delete(name);
    if (names?.size === 0) ofHost.delete(host);
  };
  const peerOf = ({ value, members }: Group<V>): P[] => {
    const host = hostOf(value.host);
    if (members.size === 0 || host === undefined || host.state === 'dead') return [];
    return [peerFrom(value, [...members].toSorted(), host.vtep)];
  };
  const planFor = (group: Group<V>): Plan => peerOf(group).flatMap(planOf);

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
      const addresses = peerOf(group).length === 0 ? [] : [...group.members].toSorted();
      for (const name of namesOf(group.value)) index.set(name, [...(index.get(name) ?? []), ...addresses]);
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
        if (group.members.size === 0) forget(name, group);
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
