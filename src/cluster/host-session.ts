/**
 * This host's sign of life: the key host/ID, which the store keeps as long as it hears of us. One lease for all that a host has:
 * a cut of 20 s costs two events, however many containers there are.
 *
 * A host that is there already is either us, a moment ago (the daemon was killed; the epoch on tmpfs is the same), or this machine
 * before its reboot, whose key goes within its time to live, or another machine with our id, which is refused.
 */
import type { ClusterStore, StoreSession } from '../model/cluster-store.ts';
import { TsnetError } from '../model/error.ts';
import { pause, type ClusterClock } from './clock.ts';
import { hostKey, registrationKey } from './keys.ts';
import { parseHost, type HostValue } from './values.ts';

export interface HostSessionOptions {
  readonly store: Pick<ClusterStore, 'get' | 'transact' | 'openSession'>;
  readonly hostId: string;
  readonly value: HostValue;
  readonly ttlMs: number;
  readonly clock: ClusterClock;
  /** Held from now on; called again after each loss. */
  readonly onHeld: () => void;
  readonly onLost: (reason: string) => void;
}

export interface HostSession {
  /**
   * Resolves when the session is held, or when the store cannot be asked now: it is tried again behind the scenes.
   * @throws TsnetError CONFLICT where another host has our id
   */
  begin(): Promise<void>;
  isHeld(): boolean;
  /** Milliseconds until others take us for dead unless the store hears of us; undefined while nothing is held. */
  remainingMs(): number | undefined;
  /** Looks whether our key is still there, and joins again where it is not. */
  verify(): Promise<void>;
  /** Why it is not held. */
  reason(): string | undefined;
  current(): StoreSession | undefined;
  /** Leaves the cluster's view at once when `leave`, else in its time: a daemon that restarts stays alive for the others. */
  close(leave: boolean): Promise<void>;
}

const FIRST_RETRY_MS = 300;
const LONGEST_RETRY_MS = 5000;
const LOOK_AGAIN_MS = 500;

export function openHostSession(options: HostSessionOptions): HostSession {
  const { store, hostId, value, ttlMs, clock, onHeld, onLost } = options;
  let session: StoreSession | undefined;
  let why: string | undefined = 'it was not begun yet';
  let isClosed = false;

  /** Writes our key; how long to wait for the one that is there, where it may be ours from before a reboot. */
  const register = async (patienceMs: number): Promise<StoreSession> => {
    const giveUpAt = clock.now() + patienceMs;
    for (;;) {
      const existing = await store.get(hostKey(hostId));
      const holder = existing === undefined ? undefined : parseHost(existing.value);
      if (existing === undefined || holder === undefined || holder.epoch === value.epoch) {
        const opened = await store.openSession(ttlMs);
        const revision = existing === undefined ? {} : { revision: existing.revision };
        try {
          const answer = await store.transact({
            expect: [{ key: hostKey(hostId), ...revision }],
            operations: [{ kind: 'put', key: hostKey(hostId), value: JSON.stringify(value), session: opened }],
          });
          if (answer.ok) return opened;
        } catch (error) {
          // It may have been done all the same, and nobody keeps this session.
          await opened.close().catch(() => undefined);
          throw error;
        }
        await opened.close();
      } else if (holder.vtep !== value.vtep || clock.now() >= giveUpAt) {
        throw new TsnetError(
          'CONFLICT',
          `join the cluster as host ${hostId}: ${holder.name} (${holder.vtep}) has this id; was its data-root copied? ` +
            'Empty the data-root of one of them',
        );
      }
      await pause(clock, LOOK_AGAIN_MS);
    }
  };

  const hold = async (patienceMs: number): Promise<void> => {
    const opened = await register(patienceMs);
    if (isClosed) {
      await opened.close();
      return;
    }
    session = opened;
    why = undefined;
    void opened.lost.then(() => {
      drop(opened, 'the store has not heard of this host for too long');
    });
    onHeld();
    await noteRegistration(store, hostId, value.name).catch(() => undefined);
  };

  const drop = (lost: StoreSession, reason: string): void => {
    if (session !== lost) return;
    session = undefined;
    why = reason;
    if (isClosed) return;
    onLost(reason);
    void again(FIRST_RETRY_MS);
  };

  /** Our key may be gone though the session lives: somebody deleted it. */
  const verify = async (): Promise<void> => {
    const held = session;
    if (held === undefined) return;
    const item = await store.get(hostKey(hostId));
    if (item !== undefined && parseHost(item.value)?.epoch === value.epoch) return;
    drop(held, 'somebody deleted the key of this host');
    await held.close();
  };

  const again = async (retryMs: number): Promise<void> => {
    for (let wait = retryMs; !isClosed; wait = Math.min(wait * 2, LONGEST_RETRY_MS)) {
      await pause(clock, wait);
      try {
        await hold(0);
        return;
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
      }
    }
  };

  return {
    begin: async () => {
      try {
        await hold(ttlMs + LONGEST_RETRY_MS);
      } catch (error) {
        if (error instanceof TsnetError && error.code === 'CONFLICT') throw error;
        why = error instanceof Error ? error.message : String(error);
        void again(FIRST_RETRY_MS);
      }
    },
    isHeld: () => session !== undefined && clock.now() < session.deadline(),
    remainingMs: () => (session === undefined ? undefined : Math.max(0, session.deadline() - clock.now())),
    verify,
    reason: () => why,
    current: () => session,
    close: async (leave) => {
      isClosed = true;
      const held = session;
      session = undefined;
      if (leave) await held?.close();
    },
  };
}

/** That this host was here, for good. */
async function noteRegistration(store: HostSessionOptions['store'], hostId: string, name: string): Promise<void> {
  const key = registrationKey(hostId);
  if ((await store.get(key)) !== undefined) return;
  const value = JSON.stringify({ name, firstSeen: new Date().toISOString() });
  await store.transact({ expect: [{ key }], operations: [{ kind: 'put', key, value }] });
}
