/** `tsnet info`. */
import type { EngineContext } from './context.ts';
import type { Info } from './host-info.ts';

export async function info(context: EngineContext): Promise<Info> {
  const { config, kernel, ledger, version } = context;
  const drivers = await context.drivers.report();
  const linkKinds = await kernel.supportedLinkKinds([...new Set(drivers.flatMap((driver) => driver.linkKinds ?? []))]);
  return ledger.read((view) => {
    const endpoints = view.endpoints();
    return {
      version,
      networks: view.networks().length,
      sandboxes: view.sandboxes().length,
      endpoints: endpoints.length,
      leases: view
        .networks()
        .reduce((sum, { id }) => sum + view.leases(id).filter(({ holder }) => holder.kind === 'endpoint').length, 0),
      publishedPorts: view.ports().reduce((sum, { count }) => sum + count, 0),
      pending: view.pending().length,
      dataRoot: config.dataRoot,
      execRoot: config.execRoot,
      firewallBackend: kernel.firewallBackend(),
      drivers,
      linkKinds: Object.fromEntries(linkKinds),
      addressPools: config.defaultAddressPools,
      changedSysctls: view.changedSysctls(),
      warnings: config.notices,
    };
  });
}
