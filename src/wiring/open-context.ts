/**
 * Opens what changes need: kernel, firewall, drivers, locks. The one place of the command line that knows them all.
 */
import { openPlugins } from '../docker-plugins/open-plugins.ts';
import type { EngineContext } from '../engine/context.ts';
import { changeLock } from '../kernel/file-lock.ts';
import { openFirewallBackends } from '../kernel/firewall-backends.ts';
import { openKernel } from '../kernel/linux-kernel.ts';
import type { Config } from '../model/config.ts';
import { TsnetError } from '../model/error.ts';
import type { Ledger } from '../model/ledger.ts';
import { DEFAULT_LOOKUPS } from '../runtimes/references/lookups.ts';
import { openDrivers } from './open-drivers.ts';
import { VERSION } from './version.ts';

export function openContext(config: Config, ledger: Ledger): EngineContext {
  const plugins = openPlugins();
  const kernel = openKernel({
    plugins: plugins.networks,
    firewall: openFirewallBackends({
      execRoot: config.execRoot,
      wanted: config.firewallBackend,
      families: [...(config.iptables ? [4 as const] : []), ...(config.ip6tables ? [6 as const] : [])],
    }),
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
    drivers: openDrivers(config, plugins),
    ipamPlugins: plugins.ipam,
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
