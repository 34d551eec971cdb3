/**
 * Clears up after hosts that never came back: after an hour, whichever host holds the session key for it deletes what they had. The
 * hour is counted by the holder; a new holder begins anew.
 */
import type { ClusterStore, StoreSession } from '../../model/cluster-store.ts';
import type { ClusterClock } from '../../cluster/clock.ts';
import { GC_HOLDER, nameIn, REGISTERED_HOSTS } from '../../cluster/keys.ts';
import { removeHost } from '../../cluster/host-removal.ts';
import type { Hosts } from '../../cluster/hosts.ts';
import type { Log } from '../log.ts';

export interface CollectorOptions {
  readonly store: ClusterStore;
  readonly self: string;
  readonly session: () => StoreSession | undefined;
  readonly hosts: Hosts;
  /** While hosts are held, nobody is cleared away. */
  readonly isHolding: () => boolean;
  readonly clock: ClusterClock;
  readonly log: Log;
  /** {@link LEFT_FOR_MS}, but for tests. */
  readonly patienceMs: number;
}

/**
 * An hour: long enough for a repair, short enough for addresses to come back. A host counts it too, for itself: after that what it had
 * may be another's.
 */
export const LEFT_FOR_MS = 3_600_000;

export interface Collector {
  close(): void;
}

/** So many looks within the patience, once a minute at most often. */
const LOOKS = 60;

export function openCollector(options: CollectorOptions): Collector {
  const { store, self, session, hosts, isHolding, clock, log, patienceMs } = options;
  const missingSince = new Map<string, number>();
  let isClosed = false;
  let callOff: () => void = () => undefined;

  const look = async (): Promise<void> => {
    const held = session();
    if (held === undefined || isHolding() || !(await isHolder(store, self, held))) {
      missingSince.clear();
      return;
    }
    const { items } = await store.list(REGISTERED_HOSTS);
    const missing = items
      .map(({ key }) => nameIn(key))
      .filter((id) => id !== self && hosts.find(id)?.state !== 'alive');
    for (const id of missingSince.keys()) if (!missing.includes(id)) missingSince.delete(id);
    for (const id of missing) {
      const since = missingSince.get(id) ?? clock.now();
      missingSince.set(id, since);
      if (clock.now() - since < patienceMs) continue;
      const removed = await removeHost(store, id, held);
      if (removed === undefined) continue;
      missingSince.delete(id);
      hosts.forget(id);
      const addresses = removed.reduce((sum, one) => sum + one.addresses.length, 0);
      const blocks = removed.reduce((sum, one) => sum + one.blocks.length, 0);
      log.info({ host: id, addresses, blocks }, 'cleared away what a host left that did not come back');
    }
  };

  const again = (): void => {
    callOff = clock.after(patienceMs / LOOKS, () => {
      void look()
        .catch((error: unknown) => {
          log.warn({ error }, 'cannot clear up after hosts that are gone; it is tried again');
        })
        .finally(() => {
          if (!isClosed) again();
        });
    });
  };
  again();
  return {
    close: () => {
      isClosed = true;
      callOff();
    },
  };
}

/** Makes this host the holder where there is none. */
async function isHolder(store: ClusterStore, self: string, session: StoreSession): Promise<boolean> {
  const item = await store.get(GC_HOLDER);
  if (item !== undefined) return item.value === JSON.stringify({ host: self });
  const answer = await store.transact({
    expect: [{ key: GC_HOLDER }],
    operations: [{ kind: 'put', key: GC_HOLDER, value: JSON.stringify({ host: self }), session }],
  });
  return answer.ok;
}
