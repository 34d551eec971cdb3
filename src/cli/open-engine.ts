/**
 * Wires an engine that acts in this process: ledger, kernel, drivers. The one place of the command line that knows them all.
 */
import { BUILT_IN_DRIVERS } from '../../drivers/index.ts';
import type { Engine } from '../engine/engine.ts';
import { makeEngine } from '../engine/make-engine.ts';
import { noFirewall, type FirewallExecutor } from '../kernel/firewall-executor.ts';
import { changeLock } from '../kernel/file-lock.ts';
import { openIptables } from '../kernel/iptables.ts';
import { openKernel } from '../kernel/linux-kernel.ts';
import { TsnetError } from '../model/error.ts';
import type { Config } from '../model/config.ts';
import { DEFAULT_LOOKUPS } from '../runtimes/references/lookups.ts';
import { openLedger } from '../store/ledger.ts';
import { VERSION } from './version.ts';

function openFirewall(config: Config): FirewallExecutor {
  if (config.firewallBackend === 'nftables') {
    throw new TsnetError(
      'UNSUPPORTED',
      'use firewall-backend "nftables": it is not built in yet; set "firewall-backend": "iptables" in daemon.json',
    );
  }
  return config.iptables ? openIptables({ execRoot: config.execRoot }) : noFirewall;
}

export function openEngine(config: Config): Promise<Engine> {
  const ledger = openLedger({ dataRoot: config.dataRoot, execRoot: config.execRoot });
  const kernel = openKernel({
    firewall: openFirewall(config),
    onSysctlChanged: (key, before, now) => {
      ledger.change((change) => {
        change.recordSysctl({ key, before, now });
      });
    },
  });
  const self = kernel.processIdentity(process.pid);
  if (self === undefined) throw new TsnetError('INTERNAL', 'read /proc/self/stat: is /proc mounted?');
  return Promise.resolve(
    makeEngine({
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
    }),
  );
}
