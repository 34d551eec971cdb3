/**
 * Renews the leases that DHCP servers gave containers: the server is asked at T1, any server at T2 (`engine/dhcp-renewal.ts`).
 *
 * Asking again follows RFC 2131, 4.4.5: after half of what is left, a minute at least, and at T2 and at the expiry in any case.
 * Nothing is kept here but when each lease was tried last: the ledger says what there is, whoever changed it.
 */
import type { LeasedEndpoint, Renewal } from '../engine/dhcp-renewal.ts';
import type { DhcpLease } from '../model/records.ts';
import type { Follower } from './follower.ts';
import type { Log } from './log.ts';

export interface RenewalClock {
  /** Unix time in milliseconds. */
  now(): number;
  /** Runs `work` after so many milliseconds; answers how to call it off. */
  after(ms: number, work: () => void): () => void;
}

export type RenewalEvent = (what: 'renewed' | 'moved' | 'expired' | 'failed', lease: LeasedEndpoint) => void;

export interface DhcpRenewalOptions {
  /** `ledger.read(leasedEndpoints)`; of these sandboxes only. */
  readonly leases: (only?: ReadonlySet<string>) => readonly LeasedEndpoint[];
  /** `renewLease(context, endpointId)` */
  readonly renew: (endpointId: string) => Promise<Renewal>;
  readonly clock: RenewalClock;
  readonly log: Log;
  readonly onEvent?: RenewalEvent;
}

/** A try that did not succeed. */
interface Attempt {
  /** Which lease it was: a new one starts afresh. */
  readonly obtainedAtMs: number;
  readonly nextAtMs: number;
}

const LEAST_WAIT_MS = 60_000;
/** A longer wait is looked at again in between: timers hold 2^31 ms, and clocks are set. */
const LONGEST_WAIT_MS = 3_600_000;

export function openDhcpRenewal({ leases, renew, clock, log, onEvent }: DhcpRenewalOptions): Follower {
  const attempts = new Map<string, Attempt>();
  const busy = new Map<string, Promise<void>>();
  /** By endpoint, as they were read last. */
  const known = new Map<string, LeasedEndpoint>();
  let callOff: () => void = () => undefined;
  let isClosed = false;

  const dueAt = ({ endpoint, lease }: LeasedEndpoint): number => {
    const attempt = attempts.get(endpoint.id);
    return attempt?.obtainedAtMs === lease.obtainedAtMs ? attempt.nextAtMs : lease.renewAtMs;
  };

  const work = async (held: LeasedEndpoint): Promise<void> => {
    const { endpoint, network, lease, sandbox, address } = held;
    const fields = { container: sandbox, network: network.name, address, server: lease.server };
    const startedAt = clock.now();
    const hadFailed = attempts.get(endpoint.id)?.obtainedAtMs === lease.obtainedAtMs;
    if (startedAt >= lease.expiresAtMs && (attempts.get(endpoint.id)?.nextAtMs ?? 0) <= lease.expiresAtMs) {
      log.warn(fields, `the DHCP lease of ${address} has expired: the server may give it to others`);
      onEvent?.('expired', held);
    }
    try {
      const renewal = await renew(endpoint.id);
      attempts.delete(endpoint.id);
      if (renewal.kind === 'gone') return;
      if (renewal.kind === 'moved') log.warn(fields, `the DHCP server gave ${sandbox} another address: ${renewal.to}`);
      else if (hadFailed) log.info(fields, `the DHCP lease of ${address} is renewed`);
      onEvent?.(renewal.kind, held);
    } catch (error) {
      attempts.set(endpoint.id, { obtainedAtMs: lease.obtainedAtMs, nextAtMs: nextTry(lease, clock.now()) });
      if (!hadFailed) log.warn({ ...fields, err: error }, `the DHCP lease of ${address} could not be renewed`);
      onEvent?.('failed', held);
    }
  };

  const read = (only?: ReadonlySet<string>): void => {
    const now = leases(only);
    for (const [id, { endpoint }] of known) {
      if (only === undefined || only.has(endpoint.sandboxId)) known.delete(id);
    }
    for (const held of now) known.set(held.endpoint.id, held);
    for (const id of attempts.keys()) if (!known.has(id)) attempts.delete(id);
  };

  const schedule = (only?: ReadonlySet<string>): void => {
    callOff();
    if (isClosed) return;
    try {
      read(only);
      const all = [...known.values()];
      for (const held of all) {
        const { id } = held.endpoint;
        if (busy.has(id) || dueAt(held) > clock.now()) continue;
        const done = work(held).finally(() => {
          busy.delete(id);
          schedule(new Set([held.endpoint.sandboxId]));
        });
        busy.set(id, done);
      }
      const waiting = all.filter(({ endpoint }) => !busy.has(endpoint.id)).map(dueAt);
      if (waiting.length === 0) return;
      const wait = Math.min(...waiting) - clock.now();
      callOff = clock.after(Math.min(Math.max(wait, 0), LONGEST_WAIT_MS), () => {
        schedule();
      });
    } catch (error) {
      log.error({ err: error }, 'the DHCP leases on record could not be read');
    }
  };

  return {
    sync: (only) => {
      schedule(only);
      return Promise.resolve();
    },
    /** Waits for what is being asked: some seconds at most. */
    close: async () => {
      isClosed = true;
      callOff();
      await Promise.all(busy.values());
    },
  };
}

/** When a lease that could not be renewed now is tried again. */
function nextTry({ rebindAtMs, expiresAtMs }: DhcpLease, now: number): number {
  const deadline = [rebindAtMs, expiresAtMs].find((at) => at > now);
  if (deadline === undefined) return now + LEAST_WAIT_MS;
  return Math.min(now + Math.max((deadline - now) / 2, LEAST_WAIT_MS), deadline);
}
