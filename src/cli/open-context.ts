/**
 * Opens what changes need: kernel, firewall, drivers, locks. The one place of the command line that knows them all.
 */
import { BUILT_IN_DRIVERS } from '../../drivers/index.ts';
import type { EngineContext } from '../engine/context.ts';
import { forFamilies, noFirewall, type FirewallExecutor } from '../kernel/firewall-executor.ts';
import { changeLock } from '../kernel/file-lock.ts';
import { openIptables } from '../kernel/iptables.ts';
import { openKernel } from '../kernel/linux-kernel.ts';
import type { Config } from '../model/config.ts';
import { TsnetError } from '../model/error.ts';
import type { Ledger } from '../model/ledger.ts';
import { DEFAULT_LOOKUPS } from '../runtimes/references/lookups.ts';
import { VERSION } from './version.ts';

function openFirewall(config: Config): FirewallExecutor {
  if (config.firewallBackend === 'nftables') {
    throw new TsnetError(
      'UNSUPPORTED',
      'use firewall-backend "nftables": it is not built in yet; set "firewall-backend": "iptables" in daemon.json',
    );
  }
  const families = [...(config.iptables ? [4 as const] : []), ...(config.ip6tables ? [6 as const] : [])];
  return families.length === 0 ? noFirewall : forFamilies(openIptables({ execRoot: config.execRoot }), families);
}

export function openContext(config: Config, ledger: Ledger): EngineContext {
  const kernel = openKernel({
    firewall: openFirewall(config),
    keepsApart: config.iptables && config.ip6tables,
    onSysctlChanged: (key, before, now) => {
      ledger.change((change) => {
        change.recordSysctl({ key, before, now });
      });
    },
  });
  const self = kernel.processIdentity(process.pid);
  if (self === undefined) throw new TsnetError('INTERNAL', 'read /proc/self/stat: is /proc mounted?');
  return {
    ledger,
    kernel,
    config,
    drivers: BUILT_IN_DRIVERS,
    lock: changeLock(config.execRoot),
    self,
    now: () => Date.now(),
    resolveContainer: async (reference) => {
      const { resolveContainer } = await import('../runtimes/references/resolve-container.ts');
      return resolveContainer(reference, { ...DEFAULT_LOOKUPS, env: process.env });
    },
    version: VERSION,
  };
}
