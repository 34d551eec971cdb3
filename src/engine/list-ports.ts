/** `tsnet port`. */
import type { LedgerView } from '../model/ledger.ts';
import type { PortView } from './engine.ts';
import { requireSandbox } from './lookup.ts';

/** The published ports of one container, or of all. */
export function listPorts(view: LedgerView, container?: string): PortView[] {
  const sandboxes = container === undefined ? view.sandboxes() : [requireSandbox(view, container)];
  return sandboxes.flatMap((sandbox) =>
    view
      .endpointsOfSandbox(sandbox.id)
      .sort((a, b) => a.ordinal - b.ordinal)
      .flatMap((endpoint) =>
        endpoint.ports.map((port): PortView => {
          const to = endpoint.addresses.find(({ address }) => address.includes(':') === port.hostAddress.includes(':'));
          return {
            ...port,
            network: view.network(endpoint.networkId)?.name ?? '',
            container: sandbox.name,
            to: to?.address.replace(/\/.*/, '') ?? '',
          };
        }),
      ),
  );
}
