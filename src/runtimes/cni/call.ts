/** What a command of the plugin is handed. */
import { CniError } from './cni-error.ts';
import type { Engine } from '../../engine/engine.ts';
import type { CniCommand } from './invocation.ts';
import type { Delegate, Delegation } from './delegate.ts';
import type { Environment, Invocation } from './invocation.ts';
import type { PluginConfig } from './network-config.ts';
import type { JsonObject } from '../../model/records.ts';

export interface CniHost {
  readonly env: Environment;
  /** What came on standard input. */
  readonly input: string;
  /** Opens the engine; called when a command needs it. */
  readonly engine: () => Promise<Engine>;
  /** Runs another IPAM plugin; absent where others may not run programs. */
  readonly delegate?: Delegate;
  /** What is at the path of a container's namespace. */
  readonly netnsAt: (path: string) => 'none' | 'ours' | 'another';
  /** One line to standard error. */
  readonly log: (line: string) => void;
}

export interface CniCall {
  readonly host: CniHost;
  readonly invocation: Invocation;
  readonly config: PluginConfig;
  readonly engine: Engine;
}

/** Has the IPAM plugin of the configuration do its part; undefined where the addresses are ours. */
export async function delegated(
  { host, invocation, config }: Omit<CniCall, 'engine'>,
  command: CniCommand = invocation.command,
): Promise<JsonObject | undefined> {
  if (config.delegate === undefined) return undefined;
  if (host.delegate === undefined) {
    throw new CniError(
      7,
      `IPAM plugin ${config.delegate} is not run here`,
      'a daemon runs no programs for its callers',
    );
  }
  const delegation: Delegation = {
    plugin: config.delegate,
    path: invocation.path,
    env: host.env,
    input: host.input,
    writeError: host.log,
  };
  return host.delegate(delegation, command);
}
