/**
 * The networks that this host has containers on. A network is joined with its first container and left some time after its last: a
 * container that is exchanged for another costs no list.
 */
import path from 'node:path';
import { networksOn } from '../../cluster/leftovers.ts';
import { clusterNetworks } from '../../engine/cluster-networks.ts';
import type { Network } from '../../model/records.ts';
import { joinNetwork, type JoinedNetwork, type JoinOptions } from './joined-network.ts';
import { clearNetwork, forgetHostNetwork } from './own-endpoints.ts';

export interface JoinedNetworks {
  all(): Iterable<JoinedNetwork>;
  find(networkId: string): JoinedNetwork | undefined;
  /** Joins where that is not done yet; it is not left before `unpin`. */
  pin(network: Network): JoinedNetwork;
  unpin(networkId: string): void;
  /** Joins and leaves as the record says; looks after our own keys soon. */
  sync(): Promise<void>;
  /** After the store was out of reach, or at the start: our keys everywhere. */
  rejoin(): Promise<void>;
  close(): Promise<void>;
}

export type JoinedNetworksOptions = Omit<JoinOptions, 'network' | 'file' | 'onLive' | 'lookSoon'> & {
  readonly folder: string;
  readonly onLive: () => void;
};

/** How long a network without containers of ours stays joined. */
const LINGER_MS = 10_000;
/** Our own writes are told to us after a moment; until then they look as if they were missing. */
const LOOK_AFTER_MS = 1000;

export function openJoinedNetworks(options: JoinedNetworksOptions): JoinedNetworks {
  const { context, store, self, clock, log, folder, onLive } = options;
  const joined = new Map<string, JoinedNetwork>();
  const pins = new Map<string, number>();
  /** Since when there has been no container of ours. */
  const idle = new Map<string, number>();
  let isClosed = false;
  let next: { readonly atMs: number; readonly callOff: () => void } | undefined;

  const join = (network: Network): JoinedNetwork => {
    const known = joined.get(network.id);
    if (known !== undefined) return known;
    const made = joinNetwork({
      ...options,
      network,
      file: path.join(folder, `${network.id}.journal`),
      onLive: (isLive) => {
        if (isLive) onLive();
      },
      lookSoon: () => {
        later(LOOK_AFTER_MS);
      },
    });
    joined.set(network.id, made);
    void made.flush();
    return made;
  };

  const hasEndpoints = (networkId: string): boolean => context.ledger.read((view) => view.hasEndpoints(networkId));

  const leave = async (one: JoinedNetwork): Promise<void> => {
    const { id, name } = one.network;
    joined.delete(id);
    idle.delete(id);
    try {
      await one.leave();
      await forgetHostNetwork(store, self, id);
    } catch (error) {
      log.warn(
        { network: name, error },
        'cannot leave a network of the cluster in order; the next comparison clears up',
      );
    }
  };

  const reconcile = async (): Promise<void> => {
    for (const one of joined.values()) {
      if (isClosed || !one.mirror.isLive()) continue;
      try {
        await one.reconcile();
      } catch (error) {
        log.warn({ network: one.network.name, error }, 'cannot look after our addresses in the cluster store');
      }
    }
  };

  /** One at a time. */
  let last: Promise<void> = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };

  const later = (ms: number): void => {
    const atMs = clock.now() + ms;
    if (next !== undefined && next.atMs <= atMs) return;
    next?.callOff();
    const callOff = clock.after(ms, () => {
      next = undefined;
      void inTurn(async () => {
        if (isClosed) return;
        await reconcile();
        await shrink();
      });
    });
    next = { atMs, callOff };
  };

  const shrink = async (): Promise<void> => {
    for (const one of joined.values()) {
      const { id } = one.network;
      const due = one.mirror.isLive() ? one.dueInMs() : undefined;
      if (due !== undefined) later(Math.max(due, LOOK_AFTER_MS));
      if ((pins.get(id) ?? 0) > 0 || hasEndpoints(id)) {
        idle.delete(id);
        continue;
      }
      const since = idle.get(id) ?? clock.now();
      idle.set(id, since);
      // What could not be given back yet is on nobody's mind once the network is left.
      const isClear = one.mirror.isLive() && one.isClear();
      if (isClear && clock.now() - since >= LINGER_MS) await leave(one);
      else later(LINGER_MS);
    }
  };

  return {
    all: () => joined.values(),
    find: (networkId) => joined.get(networkId),
    pin: (network) => {
      pins.set(network.id, (pins.get(network.id) ?? 0) + 1);
      return join(network);
    },
    unpin: (networkId) => {
      const count = (pins.get(networkId) ?? 1) - 1;
      if (count > 0) pins.set(networkId, count);
      else pins.delete(networkId);
    },
    sync: async () => {
      if (isClosed) return;
      for (const network of clusterNetworks(context)) if (hasEndpoints(network.id)) join(network);
      // Somebody waits for what is given back.
      const isAwaited = [...joined.keys()].some((networkId) => !options.isActive(networkId));
      later(isAwaited ? 0 : LOOK_AFTER_MS);
      // What was changed on record is in the kernel before anybody is told so.
      await Promise.resolve();
    },
    rejoin: () =>
      inTurn(async () => {
        if (isClosed) return;
        for (const networkId of await networksOn(store, self)) {
          if (joined.has(networkId) || hasEndpoints(networkId)) continue;
          const cleared = await clearNetwork({ store, self }, networkId, () => joined.has(networkId));
          if (cleared > 0)
            log.info(
              { network: networkId.slice(0, 12), addresses: cleared },
              'gave back addresses of containers that are gone',
            );
        }
        for (const one of joined.values()) one.doubt();
        await reconcile();
        await shrink();
      }),
    close: async () => {
      isClosed = true;
      next?.callOff();
      await last;
      for (const one of joined.values()) await one.close();
    },
  };
}
