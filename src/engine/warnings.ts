/** What a person should know after a change that succeeded. */
import type { Endpoint, Network, Sandbox } from '../model/records.ts';

export function warningsFor(sandbox: Sandbox, network: Network, endpoints: readonly Endpoint[]): string[] {
  const warnings: string[] = [];
  if (sandbox.foreignDefaultRoutes.length > 0) {
    warnings.push(
      `${sandbox.name} had a default route before tsnet came: it stays; ${network.name} answers what comes in by it, and --gw-priority has no effect here`,
    );
  }
  if (network.internal && endpoints.some(({ ports }) => ports.length > 0)) {
    warnings.push(`${network.name} is internal: its published ports are reachable from nowhere`);
  }
  return warnings;
}
