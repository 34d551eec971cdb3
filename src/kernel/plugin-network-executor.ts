/**
 * Networks in Docker network plugins. The plugin makes and keeps what it needs; we tell it to, and believe it.
 */
import { isRefusal, type NetworkPlugin, type NetworkPlugins } from '../plan/network-plugin.ts';
import type { PluginNetworkResource } from '../plan/plugin-resource.ts';
import type { TsnetError } from '../model/error.ts';
import type { Executor } from './executor.ts';
import { refused } from './kernel-refusal.ts';

export function pluginNetworkExecutor(plugins: NetworkPlugins): Executor<'plugin-network'> {
  /** Networks whose creation did not succeed in this process: nobody knows how far the plugin came. */
  const unfinished = new Set<string>();
  return {
    async ensure(resources) {
      for (const resource of resources) {
        unfinished.add(resource.networkId);
        await createAnew(plugins(resource.plugin), resource);
        unfinished.delete(resource.networkId);
      }
    },

    async remove(resources) {
      const failures: TsnetError[] = [];
      for (const resource of resources) {
        try {
          await plugins(resource.plugin).deleteNetwork(resource);
        } catch (error) {
          if (unfinished.has(resource.networkId) || saysGone(error)) continue;
          failures.push(refused(`delete network ${resource.networkId.slice(0, 12)}`, error));
        }
      }
      return failures;
    },

    /** The protocol has no question for it. */
    observe: (resources) => Promise.resolve(resources.map((resource) => ({ resource, state: 'present' }))),
  };
}

/** A plugin that outlived a boot, or the crash of a tsnet, knows the network already: it is told to forget it first. */
async function createAnew(plugin: NetworkPlugin, resource: PluginNetworkResource): Promise<void> {
  try {
    await plugin.createNetwork(resource);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    try {
      await plugin.deleteNetwork(resource);
    } catch {
      throw error;
    }
    await plugin.createNetwork(resource);
  }
}

/** The protocol has no code for it, only words. */
function saysGone(error: unknown): boolean {
  return isRefusal(error) && /not (found|exist|known)|no such|unknown|does ?n.t exist/i.test(String(error));
}
