/** Leases of DHCP servers as `diff` and `repair` see them. */
import { isDhcp } from './dhcp-network.ts';
import type { EngineContext } from './context.ts';
import type { Drift, RepairAnswer } from './engine.ts';
import { leasedEndpoints, renewLease, type LeasedEndpoint } from './dhcp-renewal.ts';
import { reason } from './undo.ts';

/** Leases that are over. Those that are due are the daemon's daily business, and no drift. */
export function expiredLeases(context: EngineContext, without: ReadonlySet<string>): Drift[] {
  return leases(context, without)
    .filter(({ lease }) => lease.expiresAtMs <= context.now())
    .map(expired);
}

function leases({ ledger }: EngineContext, without: ReadonlySet<string>): LeasedEndpoint[] {
  return ledger.read((view) =>
    view.networks().some(isDhcp)
      ? leasedEndpoints(view).filter(({ endpoint }) => !without.has(endpoint.sandboxId))
      : [],
  );
}

function expired({ sandbox, network, address, lease }: LeasedEndpoint): Drift {
  return {
    state: 'wrong',
    owner: `container ${sandbox} on ${network.name}`,
    what: `DHCP lease of ${address}`,
    detail: `it ended at ${new Date(lease.expiresAtMs).toISOString()}, and server ${lease.server} may give the address to others`,
  };
}

/**
 * Renews every lease that is due, so that whoever runs no daemon keeps them by running `repair` now and then. Answers those
 * that were over. The caller holds no lock.
 */
export async function renewDueLeases(context: EngineContext): Promise<RepairAnswer> {
  const due = leases(context, new Set()).filter(({ lease }) => lease.renewAtMs <= context.now());
  const outcomes = await Promise.all(
    due.map(async (held): Promise<{ held: LeasedEndpoint; moved?: string; error?: unknown }> => {
      try {
        const renewal = await renewLease(context, held.endpoint.id);
        return renewal.kind === 'moved' ? { held, moved: renewal.to } : { held };
      } catch (error) {
        return { held, error };
      }
    }),
  );
  const isOver = ({ lease }: LeasedEndpoint): boolean => lease.expiresAtMs <= context.now();
  return {
    repaired: outcomes
      .filter(({ held, moved, error }) => error === undefined && (moved !== undefined || isOver(held)))
      .map(({ held, moved }) => ({
        ...expired(held),
        detail: moved === undefined ? 'renewed' : `the server gave ${moved} instead`,
      })),
    failed: outcomes.flatMap(({ held, error }) =>
      error === undefined || !isOver(held) ? [] : [{ drift: expired(held), reason: reason(error) }],
    ),
  };
}
