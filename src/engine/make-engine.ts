/**
 * Puts the use cases together.
 *
 * What only reads the ledger is answered from the ledger; a change opens the kernel and loads its use case at its first call.
 * So `tsnet ls` starts without netlink, libc and the rules of address allocation.
 */
import type { Config } from '../model/config.ts';
import type { Ledger } from '../model/ledger.ts';
import type { EngineContext } from './context.ts';
import { dockerNetwork } from './docker-network.ts';
import type { Engine } from './engine.ts';
import { selectNetworks } from './list-networks.ts';
import { listPorts } from './list-ports.ts';
import { findNetwork } from './lookup.ts';
import { predefinedState } from './predefined-state.ts';

export interface EngineParts {
  readonly ledger: Ledger;
  readonly config: Config;
  /** Opens the kernel and everything else that a change needs. Called once, at the first need. */
  readonly openContext: () => Promise<EngineContext>;
}

export function makeEngine({ ledger, config, openContext }: EngineParts): Engine {
  let opened: Promise<EngineContext> | undefined;
  const context = (): Promise<EngineContext> => (opened ??= openContext());

  /** The predefined networks are there before anything else is done or shown. */
  const ready = async (): Promise<void> => {
    const state = predefinedState(ledger, config);
    if (state.complete && !state.stale) return;
    const { renewPredefined } = await import('./predefined.ts');
    await renewPredefined(await context(), state);
  };
  const reading = async <T>(look: () => T): Promise<T> => {
    await ready();
    return look();
  };
  const acting = async <M, T>(
    module: Promise<M>,
    work: (use: M, context: EngineContext) => T | Promise<T>,
  ): Promise<T> => {
    await ready();
    return work(await module, await context());
  };

  return {
    createNetwork: (request) => acting(import('./create-network.ts'), (use, on) => use.createNetwork(on, request)),
    removeNetwork: (request) => acting(import('./remove-network.ts'), (use, on) => use.removeNetwork(on, request)),
    pruneNetworks: (request) => acting(import('./prune-networks.ts'), (use, on) => use.pruneNetworks(on, request)),
    listNetworks: (filters) => reading(() => ledger.read((view) => selectNetworks(view, filters))),
    findNetwork: (reference) =>
      reading(() =>
        ledger.read((view) => {
          const found = view.networkByName(reference) ?? view.network(reference);
          return found?.state === 'active' ? found : undefined;
        }),
      ),
    inspectNetwork: (reference) =>
      reading(() =>
        ledger.read((view) => {
          const network = findNetwork(view, reference);
          const endpoints = view.endpointsOfNetwork(network.id);
          return dockerNetwork(
            network,
            endpoints.map((endpoint) => ({ endpoint, sandbox: view.sandbox(endpoint.sandboxId) })),
          );
        }),
      ),

    connect: (request) => acting(import('./connect.ts'), (use, on) => use.connect(on, request)),
    disconnect: (request) => acting(import('./disconnect.ts'), (use, on) => use.disconnect(on, request)),
    updateNetwork: (request) => acting(import('./update.ts'), (use, on) => use.updateNetwork(on, request)),
    updateEndpoint: (request) => acting(import('./update.ts'), (use, on) => use.updateEndpoint(on, request)),
    publish: (request) => acting(import('./publish.ts'), (use, on) => use.publish(on, request)),
    unpublish: (request) => acting(import('./publish.ts'), (use, on) => use.unpublish(on, request)),

    attachContainer: (request) =>
      acting(import('./runtime-containers.ts'), (use, on) => use.attachContainer(on, request)),
    detachContainer: (request) =>
      acting(import('./runtime-containers.ts'), (use, on) => use.detachContainer(on, request)),
    findContainer: (container) =>
      acting(import('./runtime-containers.ts'), (use, on) => use.findContainer(on, container)),
    checkContainer: (request) => acting(import('./check-container.ts'), (use, on) => use.checkContainer(on, request)),

    createSandbox: (request) => acting(import('./sandboxes.ts'), (use, on) => use.createSandbox(on, request)),
    adoptProcess: (sandboxId, pid) =>
      acting(import('./sandboxes.ts'), (use, on) => {
        use.adoptProcess(on, sandboxId, pid);
      }),
    removeSandbox: (reference) => acting(import('./sandboxes.ts'), (use, on) => use.removeSandbox(on, reference)),
    listSandboxes: () => acting(import('./sandboxes.ts'), (use, on) => use.listSandboxes(on)),
    inspectSandbox: (reference) => acting(import('./sandboxes.ts'), (use, on) => use.inspectSandbox(on, reference)),
    listPorts: (container) => reading(() => ledger.read((view) => listPorts(view, container))),
    listLeases: (network) => reading(() => ledger.read((view) => view.leases(findNetwork(view, network).id))),

    listClusterHosts: () => acting(import('./cluster-hosts.ts'), (use, on) => use.listClusterHosts(on)),
    removeClusterHost: (request) =>
      acting(import('./cluster-hosts.ts'), (use, on) => use.removeClusterHost(on, request)),

    diff: () => acting(import('./diff.ts'), (use, on) => use.diff(on)),
    repair: (request) => acting(import('./diff.ts'), (use, on) => use.repair(on, request)),
    gc: (request) => acting(import('./gc.ts'), (use, on) => use.gc(on, request)),
    info: () => acting(import('./info.ts'), (use, on) => use.info(on)),
    close: async () => {
      if (opened !== undefined) await (await opened).kernel.close();
      await ledger.close();
    },
  };
}
