/** A Docker plugin that acts in this process: `tsnet docker-plugin`, with or without a daemon beside it. */
import { dockerPluginEngine } from '../engine/docker-plugin/engine.ts';
import { makeEngine } from '../engine/make-engine.ts';
import type { Config } from '../model/config.ts';
import { serveDockerPlugin, type DockerPlugin, type DockerPluginRequest } from '../runtimes/docker/serve-plugin.ts';
import { openLedger } from '../store/ledger.ts';
import { openContext } from './open-context.ts';

export async function ownDockerPlugin(
  config: Config,
  request: Omit<DockerPluginRequest, 'engine' | 'now'>,
): Promise<DockerPlugin> {
  const ledger = openLedger({ dataRoot: config.dataRoot, execRoot: config.execRoot });
  const context = openContext(config, ledger);
  const engine = makeEngine({ ledger, config, openContext: () => Promise.resolve(context) });
  // Makes bridge, host and none where they are not on record: their subnets are spoken for.
  await engine.listNetworks();
  const plugin = await serveDockerPlugin({ ...request, engine: dockerPluginEngine(context), now: context.now });
  return {
    close: async () => {
      await plugin.close();
      await engine.close();
    },
  };
}
