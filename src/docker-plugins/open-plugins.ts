/**
 * The Docker plugins of this host, each greeted once (`/Plugin.Activate`) before it is asked anything else.
 */
import { TsnetError } from '../model/error.ts';
import type { IpamPlugins } from '../plan/ipam-plugin.ts';
import type { NetworkPlugin, NetworkPlugins } from '../plan/network-plugin.ts';
import { DOCKER_FOLDERS, findPlugin, pluginNames, type PluginFolders } from './find-plugin.ts';
import { ipamPlugin } from './ipam-protocol.ts';
import { capabilities, networkPlugin, type Capabilities } from './network-protocol.ts';
import { PLUGIN_TIMES, pluginCaller, type CallPlugin, type Patience, type PluginTimes } from './plugin-call.ts';

export interface DockerPlugins {
  /** Those whose socket or file is there, running or not, network driver or not. */
  names(): readonly string[];
  /** What a network driver can do; undefined when there is no plugin of that name. */
  capabilities(name: string): Promise<(Capabilities & { readonly source: string }) | undefined>;
  readonly networks: NetworkPlugins;
  readonly ipam: IpamPlugins;
}

export interface PluginOptions {
  readonly folders?: PluginFolders;
  readonly times?: PluginTimes;
}

/** What `Implements` calls the kinds of plugin that tsnet speaks to. */
type Subsystem = 'NetworkDriver' | 'IpamDriver';

export function openPlugins({ folders = DOCKER_FOLDERS, times = PLUGIN_TIMES }: PluginOptions = {}): DockerPlugins {
  const callers = new Map<string, CallPlugin>();
  const activated = new Map<string, Promise<readonly string[]>>();

  const callerOf = (name: string): CallPlugin | undefined => {
    const known = callers.get(name);
    if (known !== undefined) return known;
    const address = findPlugin(name, folders);
    if (address === undefined) return undefined;
    const caller = pluginCaller(address, times);
    callers.set(name, caller);
    return caller;
  };
  const activate = async (name: string, call: CallPlugin, wanted: Subsystem, patience?: Patience): Promise<void> => {
    const asked = activated.get(name) ?? implementsOf(call, patience);
    activated.set(name, asked);
    const subsystems = await asked.catch((error: unknown) => {
      activated.delete(name);
      throw error;
    });
    if (subsystems.includes(wanted)) return;
    throw new TsnetError(
      'UNSUPPORTED',
      `use Docker plugin ${name}: it implements ${subsystems.join(', ') || 'nothing'}, not ${wanted}`,
    );
  };
  /** Greets a plugin with the first call, and waits for it no longer than that call would. */
  const greeting = (name: string, wanted: Subsystem): CallPlugin => {
    return async (method, request, patience) => {
      const call = callerOf(name);
      if (call === undefined) throw missing(name);
      await activate(name, call, wanted, patience);
      return call(method, request, patience);
    };
  };
  const missing = (name: string): TsnetError =>
    new TsnetError(
      'NOT_FOUND',
      `use Docker plugin ${name}: it is not in ${[folders.sockets, ...folders.specs].join(', ')}; start or install it`,
    );

  return {
    names: () => pluginNames(folders),
    async capabilities(name) {
      const address = findPlugin(name, folders);
      if (address === undefined) return undefined;
      return { ...(await capabilities(greeting(name, 'NetworkDriver'), name)), source: address.source };
    },
    ipam: {
      find: (name) =>
        findPlugin(name, folders) === undefined ? undefined : ipamPlugin(greeting(name, 'IpamDriver'), name),
      names: () => pluginNames(folders),
    },
    networks: (name): NetworkPlugin => networkPlugin(greeting(name, 'NetworkDriver'), name),
  };
}

async function implementsOf(call: CallPlugin, patience: Patience | undefined): Promise<readonly string[]> {
  const answer = await call('Plugin.Activate', undefined, patience);
  const subsystems = answer?.['Implements'];
  return Array.isArray(subsystems) ? subsystems.filter((one) => typeof one === 'string') : [];
}
