/**
 * What Docker asks of us as its plugin, as one interface: the way in for `src/runtimes/docker`, beside `engine.ts`, whose callers
 * have containers set up whole. It is not served over the daemon's API: only Docker may say what Docker has.
 */
import type { Garbage } from '../engine.ts';
import type { EngineContext } from '../context.ts';
import type { DockerJoinAnswer, DockerJoinRequest } from './join-endpoint.ts';
import type { DockerEndpointRequest } from './reserve-endpoint.ts';
import type { CreateDockerNetworkRequest } from './networks.ts';
import type { DockerAddressRequest, DockerPoolRequest } from './pools.ts';
import type { DockerSight } from './sight.ts';
import type { DockerPool, Endpoint } from '../../model/records.ts';
import { publishDockerPorts, withdrawDockerPorts } from './endpoint-ports.ts';
import { joinDockerEndpoint } from './join-endpoint.ts';
import { removeDockerEndpoint } from './remove-endpoint.ts';
import { reserveDockerEndpoint } from './reserve-endpoint.ts';
import { createDockerNetwork, removeDockerNetwork } from './networks.ts';
import { releaseDockerAddress, releaseDockerPool, requestDockerAddress, requestDockerPool } from './pools.ts';
import { hasDockers, heedDocker, learnNamespaces } from './sight.ts';

export interface DockerPluginEngine {
  /** The warnings. */
  createNetwork(request: CreateDockerNetworkRequest): Promise<readonly string[]>;
  /** Why a network of the cluster stays there, where it does. */
  removeNetwork(id: string): Promise<string | undefined>;
  reserveEndpoint(request: DockerEndpointRequest): Promise<Endpoint>;
  join(request: DockerJoinRequest): Promise<DockerJoinAnswer>;
  /** Why the ports are not published, where the network publishes none. */
  publish(request: Parameters<typeof publishDockerPorts>[1]): Promise<string | undefined>;
  withdraw(endpointId: string): Promise<void>;
  removeEndpoint(endpointId: string): Promise<void>;
  /** Undefined for one that is gone. */
  endpoint(id: string): Promise<Endpoint | undefined>;
  requestPool(request: DockerPoolRequest): Promise<DockerPool>;
  releasePool(id: string): Promise<void>;
  requestAddress(request: DockerAddressRequest): Promise<string>;
  releaseAddress(poolId: string, address: string): Promise<void>;
  hasDockers(): Promise<boolean>;
  /** Whether a namespace of a container that joined is still to come. */
  learnNamespaces(): Promise<boolean>;
  heed(sight: DockerSight): Promise<Garbage[]>;
}

export function dockerPluginEngine(context: EngineContext): DockerPluginEngine {
  return {
    createNetwork: (request) => createDockerNetwork(context, request),
    removeNetwork: (id) => removeDockerNetwork(context, id),
    reserveEndpoint: (request) => reserveDockerEndpoint(context, request),
    join: (request) => joinDockerEndpoint(context, request),
    publish: (request) => publishDockerPorts(context, request),
    withdraw: (endpointId) => withdrawDockerPorts(context, endpointId),
    removeEndpoint: (endpointId) => removeDockerEndpoint(context, endpointId),
    endpoint: async (id) => Promise.resolve(context.ledger.read((view) => view.endpoint(id))),
    requestPool: (request) => requestDockerPool(context, request),
    releasePool: async (id) => {
      await Promise.resolve();
      releaseDockerPool(context, id);
    },
    requestAddress: (request) => requestDockerAddress(context, request),
    releaseAddress: (poolId, address) => releaseDockerAddress(context, poolId, address),
    hasDockers: async () => Promise.resolve(hasDockers(context)),
    learnNamespaces: async () => Promise.resolve(learnNamespaces(context)),
    heed: (sight) => heedDocker(context, sight),
  };
}
