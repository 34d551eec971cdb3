/** Puts the use cases together. */
import type { EngineContext } from './context.ts';
import { connect } from './connect.ts';
import { createNetwork } from './create-network.ts';
import { ensurePredefined } from './predefined.ts';
import { diff, repair } from './diff.ts';
import { disconnect } from './disconnect.ts';
import { dockerNetwork } from './docker-network.ts';
import type { Engine } from './engine.ts';
import { gc } from './gc.ts';
import { info } from './info.ts';
import { listPorts } from './list-ports.ts';
import { selectNetworks } from './list-networks.ts';
import { findNetwork } from './lookup.ts';
import { pruneNetworks } from './prune-networks.ts';
import { publish, unpublish } from './publish.ts';
import { removeNetwork } from './remove-network.ts';
import { adoptProcess, createSandbox, inspectSandbox, listSandboxes, removeSandbox } from './sandboxes.ts';

export function makeEngine(context: EngineContext): Engine {
  const { ledger, kernel } = context;
  /** The predefined networks are there before anything else is done or shown. */
  const ready = async <T>(work: () => T | Promise<T>): Promise<T> => {
    await ensurePredefined(context);
    return work();
  };
  return {
    createNetwork: (request) => ready(() => createNetwork(context, request)),
    removeNetwork: (request) => ready(() => removeNetwork(context, request)),
    pruneNetworks: (request) => ready(() => pruneNetworks(context, request)),
    listNetworks: (filters) => ready(() => ledger.read((view) => selectNetworks(view, filters))),
    inspectNetwork: (reference) =>
      ready(() =>
        ledger.read((view) => {
          const network = findNetwork(view, reference);
          return dockerNetwork(
            network,
            view
              .endpointsOfNetwork(network.id)
              .map((endpoint) => ({ endpoint, sandbox: view.sandbox(endpoint.sandboxId) })),
          );
        }),
      ),
    connect: (request) => ready(() => connect(context, request)),
    disconnect: (request) => ready(() => disconnect(context, request)),
    publish: (request) => ready(() => publish(context, request)),
    unpublish: (request) => ready(() => unpublish(context, request)),
    createSandbox: (request) => ready(() => createSandbox(context, request)),
    adoptProcess: async (sandboxId, pid) => {
      adoptProcess(context, sandboxId, pid);
      return Promise.resolve();
    },
    removeSandbox: (reference) => ready(() => removeSandbox(context, reference)),
    listSandboxes: () => listSandboxes(context),
    inspectSandbox: (reference) => Promise.resolve().then(() => inspectSandbox(context, reference)),
    listPorts: (container) => Promise.resolve().then(() => listPorts(context, container)),
    listLeases: (network) => ready(() => ledger.read((view) => view.leases(findNetwork(view, network).id))),
    diff: () => ready(() => diff(context)),
    repair: (request) => ready(() => repair(context, request)),
    gc: (request) => ready(() => gc(context, request)),
    info: () => ready(() => info(context)),
    close: async () => {
      await kernel.close();
      await ledger.close();
    },
  };
}
