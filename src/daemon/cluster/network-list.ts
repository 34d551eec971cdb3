/** The networks of the cluster, kept on record here: what another host makes or removes comes and goes. */
import type { ClusterStore } from '../../model/cluster-store.ts';
import type { ClusterClock } from '../../cluster/clock.ts';
import { NETWORKS, networkKey } from '../../cluster/keys.ts';
import { openMirror, type Mirror } from '../../cluster/mirror.ts';
import { parseNetwork } from '../../cluster/values.ts';
import { adoptNetwork, clusterNetworks, forgetNetwork } from '../../engine/cluster-networks.ts';
import type { EngineContext } from '../../engine/context.ts';
import type { Network } from '../../model/records.ts';
import type { Underlay } from '../../plan/driver.ts';
import type { Log } from '../log.ts';

export interface NetworkListOptions {
  readonly context: EngineContext;
  readonly store: ClusterStore;
  readonly clock: ClusterClock;
  readonly log: Log;
  readonly underlay: Underlay;
  /** A record of this host came, went or changed. */
  readonly onChange: () => void;
}

export interface NetworkList {
  readonly mirror: Mirror;
  /** Whether the cluster has a network, and nobody is removing it; true where that is not known. */
  isActive(networkId: string): boolean;
  /** Networks that cannot be on record here, by name, and why. */
  problems(): ReadonlyMap<string, string>;
  /** While `work` runs, this network is the business of whoever is making it. */
  making<T>(network: Network, work: () => Promise<T>): Promise<T>;
  /** Tries again what was in the way of something of this host. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export function openNetworkList({ context, store, clock, log, underlay, onChange }: NetworkListOptions): NetworkList {
  const problems = new Map<string, string>();
  const inTheMaking = new Set<string>();
  let isKnown = false;
  let isClosed = false;

  const complain = (name: string, problem: string): void => {
    if (problems.get(name) === problem) return;
    problems.set(name, problem);
    log.warn({ network: name, problem }, 'a network of the cluster cannot be used on this host');
  };

  const adopt = (network: Network): void => {
    try {
      const problem = adoptNetwork(context, network, underlay);
      if (problem === undefined) problems.delete(network.name);
      else complain(network.name, problem);
    } catch (error) {
      complain(network.name, error instanceof Error ? error.message : String(error));
    }
  };

  const forget = async ({ id, name }: Network): Promise<void> => {
    if (await forgetNetwork(context, id)) problems.delete(name);
    else complain(name, 'the cluster store has it no more, and containers of this host are on it; disconnect them');
  };

  const bring = async (): Promise<void> => {
    if (!isKnown || isClosed) return;
    try {
      for (const { value } of mirror.items().values()) {
        const shared = parseNetwork(value);
        if (shared?.state === 'active' && !inTheMaking.has(shared.network.id)) adopt(shared.network);
      }
      for (const network of clusterNetworks(context)) {
        const isThere = mirror.item(networkKey(network.id)) !== undefined;
        if (!isThere && network.state === 'active' && !inTheMaking.has(network.id)) await forget(network);
      }
      onChange();
    } catch (error) {
      log.error({ error }, 'the networks of the cluster cannot be brought on record; it is tried again');
    }
  };

  let last: Promise<void> = Promise.resolve();
  // `bring` never rejects.
  const sync = (): Promise<void> => (last = last.then(bring));
  const mirror = openMirror({
    store,
    prefix: NETWORKS,
    clock,
    onChanges: () => {
      isKnown = true;
      void sync();
    },
  });
  return {
    mirror,
    isActive: (networkId) => {
      const item = mirror.item(networkKey(networkId));
      if (item === undefined) return !isKnown;
      return parseNetwork(item.value)?.state !== 'deleting';
    },
    problems: () => problems,
    making: async ({ id }, work) => {
      inTheMaking.add(id);
      try {
        return await work();
      } finally {
        inTheMaking.delete(id);
        void sync();
      }
    },
    sync: () => (problems.size > 0 ? sync() : last),
    close: async () => {
      isClosed = true;
      mirror.close();
      await last;
    },
  };
}
