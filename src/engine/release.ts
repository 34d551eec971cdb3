/** Letting go of what an endpoint holds, in one transaction. */
import type { LedgerChange } from '../model/ledger.ts';
import type { Endpoint } from '../model/records.ts';
import type { EngineContext } from './context.ts';

/**
 * Deletes the endpoint, its port claims and its leases; the addresses rest in quarantine. A sandbox that is not ours is
 * forgotten with its last endpoint: we know it only through them.
 */
export function releaseEndpoint(context: EngineContext, change: LedgerChange, endpoint: Endpoint): void {
  const untilMs = context.now() + context.config.quarantineSeconds * 1000;
  for (const { address } of endpoint.addresses) {
    const bare = address.slice(0, address.indexOf('/'));
    // What a DHCP server gave, it gives to whom it likes.
    if (context.config.quarantineSeconds > 0 && endpoint.dhcp === undefined) {
      change.holdAddress(endpoint.networkId, bare, { kind: 'quarantine', untilMs }, 'static');
    } else {
      change.releaseAddress(endpoint.networkId, bare);
    }
  }
  for (const port of endpoint.ports) change.releasePort({ ...port, endpointId: endpoint.id });
  change.deleteEndpoint(endpoint.id);
  const sandbox = change.sandbox(endpoint.sandboxId);
  if (sandbox !== undefined && sandbox.origin.kind !== 'own' && change.endpointsOfSandbox(sandbox.id).length === 0) {
    change.deleteSandbox(sandbox.id);
  }
}
