/** tsnet on the group's host: the engine in this process, and what the command line needs to find the same ledger. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openContext } from '../src/wiring/open-context.ts';
import { loadConfig } from '../src/config/load.ts';
import type { EngineContext } from '../src/engine/context.ts';
import type { Engine } from '../src/engine/engine.ts';
import { makeEngine } from '../src/engine/make-engine.ts';
import { TsnetError } from '../src/model/error.ts';
import type { Netns } from '../src/model/records.ts';
import { openLedger } from '../src/store/ledger.ts';
import { Skipped } from './group.ts';

export type Backend = 'iptables' | 'nftables';

export const BACKENDS: readonly Backend[] = ['iptables', 'nftables'];

/** The command line as it is installed; this file is in dist/lib when it runs. */
export const TSNET = path.join(import.meta.dirname, '..', 'tsnet.js');

export interface TsnetHost {
  readonly context: EngineContext;
  readonly engine: Engine;
  /** Environment with which `dist/tsnet.js` speaks of this host. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A namespace that plays a container. */
  readonly container: (name: string) => Netns;
}

/**
 * Networks are recorded on disk (`dir`), endpoints on the tmpfs of /run, as on a real host. Throws Skipped where the backend is
 * not to be had.
 */
export async function openHost(dir: string, backend: Backend): Promise<TsnetHost> {
  const file = path.join(dir, 'daemon.json');
  mkdirSync(dir, { recursive: true });
  writeFileSync(file, JSON.stringify({ 'firewall-backend': backend }));
  const env = {
    ...process.env,
    TSNET_DATA_ROOT: path.join(dir, 'lib'),
    TSNET_EXEC_ROOT: '/run/tsnet',
    TSNET_CONFIG: file,
  };
  const config = loadConfig({ env });
  const ledger = openLedger({ dataRoot: config.dataRoot, execRoot: config.execRoot });
  let context: EngineContext;
  try {
    context = openContext(config, ledger);
  } catch (error) {
    if (error instanceof TsnetError && error.code === 'UNSUPPORTED') throw new Skipped(error.message);
    throw error;
  }
  const engine = makeEngine({ ledger, config, openContext: () => Promise.resolve(context) });
  await engine.listNetworks();
  return {
    context,
    engine,
    env,
    container: (name) => context.kernel.createNetns(path.join('/run/netns', name)),
  };
}
