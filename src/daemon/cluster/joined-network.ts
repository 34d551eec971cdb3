/**
 * One network of the cluster that this host has containers on: its endpoints on all hosts in memory, on file, and, those of the
 * other hosts, in the kernel.
 */
import type { ClusterStore } from '../../model/cluster-store.ts';
import type { ClusterClock } from '../../cluster/clock.ts';
import { openClaims, type Claims } from '../../cluster/claims.ts';
import type { Hosts } from '../../cluster/hosts.ts';
import { endpointKey, endpointsOf } from '../../cluster/keys.ts';
import { openMirror, type Mirror } from '../../cluster/mirror.ts';
import { openPeerTable, type EndpointPeer } from '../../cluster/peers.ts';
import type { EngineContext } from '../../engine/context.ts';
import { driverOf } from '../../engine/context.ts';
import type { Network } from '../../model/records.ts';
import type { Plan } from '../../plan/resource.ts';
import type { Log } from '../log.ts';
import { openJournal, type Remembered } from './journal.ts';
import { openProgrammer } from './programmer.ts';

export interface JoinedNetwork {
  readonly network: Network;
  readonly mirror: Mirror;
  readonly claims: Claims;
  /** Addresses of the containers on other hosts that answer to a name, in lower case. */
  named(name: string): readonly string[];
  hostsChanged(hostIds: readonly string[]): void;
  /** An address is this host's from now on, before the store tells. */
  took(address: string, value: string): void;
  /** Resolves when the kernel has what is known now. */
  flush(): Promise<void>;
  /** Who is on other hosts, as far as the kernel should know of them. */
  peers(): EndpointPeer[];
  /** What the kernel has of them. */
  plan(): Plan;
  /** Leaves the kernel as it is: the next daemon goes on. */
  close(): Promise<void>;
  /** This host has no container there any more. */
  leave(): Promise<void>;
}

export interface JoinOptions {
  readonly context: EngineContext;
  readonly store: ClusterStore;
  readonly network: Network;
  readonly self: string;
  readonly hosts: Hosts;
  readonly clock: ClusterClock;
  readonly log: Log;
  readonly file: string;
  readonly quarantineMs: number;
  readonly onLive: (isLive: boolean) => void;
}

export function joinNetwork(options: JoinOptions): JoinedNetwork {
  const { context, store, network, self, hosts, clock, log, file, quarantineMs, onLive } = options;
  const { id, name } = network;
  const journal = openJournal(file);
  const { remembered } = journal;
  const planOf = (peer: EndpointPeer): Plan => driverOf(context, network).peerPlan?.(network, peer) ?? [];
  const table = openPeerTable(
    {
      self,
      planOf,
      hostOf: (hostId) => {
        const host = hosts.find(hostId);
        return host === undefined ? undefined : { vtep: host.value.vtep, state: host.state };
      },
    },
    remembered?.items,
  );
  const programmer = openProgrammer({
    context,
    log,
    name,
    isUp: () => context.ledger.read((view) => view.isRealized(id)),
    take: () => table.take(),
    failed: () => {
      table.failed();
    },
    owed: remembered === undefined ? [] : without(table.wanted(), possible(remembered, { self, hosts, planOf })),
  });
  const mirror = openMirror({
    store,
    prefix: endpointsOf(id),
    ...(remembered === undefined ? {} : { known: remembered }),
    clock,
    onLive,
    onChanges: (changes, token) => {
      journal.append(changes, token);
      journal.tidy(() => mirror.items().values(), token);
      table.apply(changes);
      void programmer.flush();
    },
    onTrouble: (error) => {
      log.warn({ network: name, error }, 'cannot read who is on a network of the cluster; it is tried again');
    },
  });
  return {
    network,
    mirror,
    claims: openClaims({ store, self, mirror, clock, random: Math.random, quarantineMs }),
    named: (one) => table.named(one),
    hostsChanged: (hostIds) => {
      table.hostsChanged(hostIds);
      void programmer.flush();
    },
    took: (address, value) => {
      const key = endpointKey(id, address);
      const before = mirror.item(key);
      const after = { key, value, revision: '' };
      table.apply([{ key, ...(before === undefined ? {} : { before }), after }]);
      mirror.expect(after);
    },
    flush: async () => {
      await programmer.flush();
    },
    peers: () => table.peers(),
    plan: () => table.programmed(),
    close: async () => {
      mirror.close();
      await programmer.close();
    },
    leave: async () => {
      mirror.close();
      await programmer.close();
      const plan = table.programmed();
      await context.lock.shared(() => context.kernel.remove(plan, new Map()));
      journal.remove();
    },
  };
}

/** All that the daemon before may have told the kernel: what it was about to remove, it may not have removed. */
function possible(
  { items, deleted }: Remembered,
  {
    self,
    hosts,
    planOf,
  }: { readonly self: string; readonly hosts: Hosts; readonly planOf: (peer: EndpointPeer) => Plan },
): Plan {
  const hostOf = (hostId: string): { readonly vtep: string; readonly state: 'alive' } | undefined => {
    const host = hosts.find(hostId);
    return host === undefined ? undefined : { vtep: host.value.vtep, state: 'alive' };
  };
  return openPeerTable({ self, hostOf, planOf }, [...deleted, ...items]).wanted();
}

function without(kept: Plan, plan: Plan): Plan {
  const texts = new Set(kept.map((resource) => JSON.stringify(resource)));
  return plan.filter((resource) => !texts.has(JSON.stringify(resource)));
}
