/**
 * What the hosts of the cluster say of one network, in one directory of the store: in memory, on file, and, what the other hosts say,
 * in the kernel.
 */
import { openMirror, type Change, type Mirror } from '../../cluster/mirror.ts';
import { openTableOf, type PeerReading } from '../../cluster/peers.ts';
import { driverOf } from '../../engine/context.ts';
import type { StoredItem } from '../../model/cluster-store.ts';
import type { Peer } from '../../plan/driver.ts';
import type { Plan } from '../../plan/resource.ts';
import type { JoinOptions } from './joined-network.ts';
import { openJournal, type Remembered } from './journal.ts';
import { openProgrammer } from './programmer.ts';
import { outOfTouch, within } from './touch.ts';

export interface FollowedDirectory<P extends Peer> {
  readonly mirror: Mirror;
  /** @throws TsnetError RUNTIME where the directory was never read, and cannot be now */
  untilListed(): Promise<void>;
  named(name: string): readonly string[];
  hostsChanged(hostIds: readonly string[]): void;
  /** This host has written a key a moment ago, and will be told of it. */
  wrote(item: StoredItem): void;
  /** The same, for what the next daemon has to know even if it cannot ask. */
  keeps(item: StoredItem): void;
  flush(): Promise<void>;
  peers(): P[];
  plan(): Plan;
  close(): Promise<void>;
  leave(): Promise<void>;
}

interface DirectoryOptions<V extends { readonly host: string }, P extends Peer> {
  readonly prefix: string;
  readonly reading: PeerReading<V, P>;
  readonly heard?: (changes: readonly Change[]) => void;
}

const LONGEST_LIST_MS = 2000;

export function followDirectory<V extends { readonly host: string }, P extends Peer>(
  options: JoinOptions,
  { prefix, reading, heard = () => undefined }: DirectoryOptions<V, P>,
): FollowedDirectory<P> {
  const { context, store, network, self, hosts, clock, log, file, onLive } = options;
  const { id, name } = network;
  const journal = openJournal(file);
  const { remembered } = journal;
  let token = remembered?.token;
  const planOf = (peer: P): Plan => driverOf(context, network).peerPlan?.(network, peer) ?? [];
  const hostOf = (hostId: string) => {
    const host = hosts.find(hostId);
    return host === undefined ? undefined : { vtep: host.value.vtep, state: host.state };
  };
  const table = openTableOf(reading, { self, planOf, hostOf }, remembered?.items);
  /** All that the daemon before may have told the kernel: what it was about to remove, it may not have removed. */
  const possible = ({ items, deleted }: Remembered): Plan => {
    const everybody = (hostId: string) => {
      const host = hostOf(hostId);
      return host === undefined ? undefined : { ...host, state: 'alive' as const };
    };
    return openTableOf(reading, { self, planOf, hostOf: everybody }, [...deleted, ...items]).wanted();
  };
  const programmer = openProgrammer({
    context,
    log,
    name,
    isUp: () => context.ledger.read((view) => view.isRealized(id)),
    take: () => table.take(),
    failed: () => {
      table.failed();
    },
    owed: remembered === undefined ? [] : without(table.wanted(), possible(remembered)),
  });
  const mirror = openMirror({
    store,
    prefix,
    ...(remembered === undefined ? {} : { known: remembered }),
    clock,
    onLive,
    onChanges: (changes, next) => {
      token = next;
      journal.append(changes, next);
      journal.tidy(() => mirror.items().values(), next);
      table.apply(changes);
      void programmer.flush();
      heard(changes);
    },
    onTrouble: (error) => {
      log.warn({ network: name, error }, 'cannot read who is on a network of the cluster; it is tried again');
    },
  });
  const wrote = (item: StoredItem): void => {
    const before = mirror.item(item.key);
    table.apply([{ key: item.key, ...(before === undefined ? {} : { before }), after: item }]);
    mirror.expect(item);
  };
  return {
    mirror,
    untilListed: () =>
      within(mirror.listed, LONGEST_LIST_MS, () => outOfTouch(store, `it does not tell who is on ${name}`)),
    named: (one) => table.named(one),
    hostsChanged: (hostIds) => {
      table.hostsChanged(hostIds);
      void programmer.flush();
    },
    wrote,
    keeps: (item) => {
      if (token !== undefined) journal.append([{ key: item.key, after: item }], token);
      wrote(item);
    },
    flush: () => programmer.flush(),
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

function without(kept: Plan, plan: Plan): Plan {
  const texts = new Set(kept.map((resource) => JSON.stringify(resource)));
  return plan.filter((resource) => !texts.has(JSON.stringify(resource)));
}
