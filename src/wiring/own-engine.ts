/**
 * An engine that acts in this process. The ledger is opened at once; the kernel, the drivers and the firewall with the first
 * command that changes something (`open-context.ts`).
 */
import type { Engine } from '../engine/engine.ts';
import { makeEngine } from '../engine/make-engine.ts';
import type { Config } from '../model/config.ts';
import { openLedger } from '../store/ledger.ts';
import { keepingFiles } from './sandbox-files.ts';

export function ownEngine(config: Config): Engine {
  const ledger = openLedger({ dataRoot: config.dataRoot, execRoot: config.execRoot });
  const engine = makeEngine({
    ledger,
    config,
    openContext: async () => (await import('./open-context.ts')).openContext(config, ledger),
  });
  return keepingFiles(engine, config.execRoot);
}
