/**
 * What comes of a look at Docker: containers get their names, networks and subnets their owner, and what Docker has forgotten goes
 * (it was killed while it made or removed something, or its state was deleted).
 *
 * Forgotten is what the very engine that showed it to us before does not list any more; what another engine lists or does not
 * list says nothing, nor does one that does not answer. What was made a moment ago may not be listed yet. A container that
 * lives on without its Docker keeps its network.
 */
import { checkSandboxName } from '../../model/names.ts';
import type { DockerOwner, DockerPool, Endpoint, Network, Sandbox } from '../../model/records.ts';
import type { EngineContext } from '../context.ts';
import { detach } from '../detach.ts';
import { releaseDockerPool } from './pools.ts';
import { dockerIdOf } from './docker-networks.ts';
import { removeDockerNetwork, unnamed } from './networks.ts';
import type { Garbage } from '../engine.ts';
import { recover } from '../recover.ts';
import { reason } from '../undo.ts';

/** One engine's networks, as it lists them. */
export interface DockerSight {
  /** Its ID. */
  readonly engine: string;
  /** Unix time in milliseconds at which it was asked. */
  readonly askedMs: number;
  /** By id. */
  readonly networks: ReadonlyMap<string, DockerSightNetwork>;
  /** Subnets of its networks whose IPAM driver we are. */
  readonly ownSubnets: ReadonlySet<string>;
}

export interface DockerSightNetwork {
  readonly name: string;
  /** Endpoint's id → its container's name. */
  readonly endpoints: ReadonlyMap<string, string>;
}

/** Docker writes down what it made as soon as we have answered; so long it may take. */
const SETTLED_MS = 10_000;

/** Whether there is anything to ask Docker about. */
export function hasDockers({ ledger }: EngineContext): boolean {
  return ledger.read(
    (view) => view.networks().some(({ docker }) => docker !== undefined) || view.dockerPools().length > 0,
  );
}

/** Namespaces that Docker has made by now are looked up. Whether one is still to come. */
export function learnNamespaces({ kernel, ledger }: EngineContext): boolean {
  const unknown = ledger.read((view) => view.sandboxes().filter(isUnlearnt));
  let missing = false;
  for (const { id, netns } of unknown) {
    const now = kernel.netnsAt(netns.path);
    if (now === undefined || kernel.isHost(now)) {
      missing = true;
      continue;
    }
    ledger.change((change) => {
      const current = change.sandbox(id);
      if (current !== undefined && isUnlearnt(current)) change.putSandbox({ ...current, netns: now });
    });
  }
  return missing;
}

function isUnlearnt({ origin, netns }: Sandbox): boolean {
  return origin.kind === 'docker-plugin' && netns.inode === 0 && netns.path !== '';
}

/** Notes what Docker shows, and collects what it has forgotten. */
export async function heedDocker(context: EngineContext, sight: DockerSight): Promise<Garbage[]> {
  await recover(context);
  learnNamespaces(context);
  noteOwners(context, sight);
  nameNetworks(context, sight);
  nameSandboxes(context, sight);
  return collectForgotten(context, sight);
}

function noteOwners({ ledger }: EngineContext, { engine, networks, ownSubnets }: DockerSight): void {
  const isNew = ({ docker }: { readonly docker?: DockerOwner }): boolean =>
    docker !== undefined && docker.engine === undefined;
  const seen = ledger.read((view) => ({
    networks: view.networks().filter((network) => isNew(network) && networks.has(dockerIdOf(network))),
    pools: view.dockerPools().filter((pool) => isNew(pool) && ownSubnets.has(pool.subnet)),
  }));
  if (seen.networks.length + seen.pools.length === 0) return;
  ledger.changeNetworks((change) => {
    for (const { id } of seen.networks) {
      const network = change.network(id);
      if (network !== undefined) change.putNetwork({ ...network, docker: { ...network.docker, engine } });
    }
    for (const { id } of seen.pools) {
      const pool = change.dockerPool(id);
      if (pool !== undefined) change.putDockerPool({ ...pool, docker: { engine } });
    }
  });
}

/** Networks that were given no name with `-o name=` are called as in Docker, unless another one here is. */
function nameNetworks({ ledger }: EngineContext, { networks }: DockerSight): void {
  const renamed = ledger.read((view) =>
    [...networks].filter(
      ([id, { name }]) =>
        view.network(id)?.name === unnamed(id) && isName(name) && view.networkByName(name) === undefined,
    ),
  );
  if (renamed.length === 0) return;
  ledger.changeNetworks((change) => {
    for (const [id, { name }] of renamed) {
      const network = change.network(id);
      if (network !== undefined && change.networkByName(name) === undefined) change.putNetwork({ ...network, name });
    }
  });
}

/** Containers are called as in Docker, unless somebody else here is. */
function nameSandboxes({ ledger }: EngineContext, { networks }: DockerSight): void {
  const names = new Map([...networks.values()].flatMap(({ endpoints }) => [...endpoints]));
  const renamed = ledger.read((view) =>
    view.endpoints().flatMap((endpoint): [string, string][] => {
      const [name, sandbox] = [names.get(endpoint.id), view.sandbox(endpoint.sandboxId)];
      if (name === undefined || sandbox?.origin.kind !== 'docker-plugin' || sandbox.name === name) return [];
      return isName(name) && view.sandboxByName(name) === undefined ? [[sandbox.id, name]] : [];
    }),
  );
  for (const [id, name] of renamed) {
    ledger.change((change) => {
      const sandbox = change.sandbox(id);
      if (sandbox !== undefined && change.sandboxByName(name) === undefined) change.putSandbox({ ...sandbox, name });
    });
  }
}

function isName(text: string): boolean {
  try {
    return checkSandboxName(text) === text;
  } catch {
    return false;
  }
}

interface Forgotten {
  readonly endpoints: readonly Endpoint[];
  readonly networks: readonly Network[];
  readonly pools: readonly DockerPool[];
}

function forgottenIn(
  { kernel, ledger }: EngineContext,
  { engine, askedMs, networks, ownSubnets }: DockerSight,
): Forgotten {
  const isJudged = (docker: DockerOwner | undefined, createdAt: string): boolean =>
    docker?.engine === engine && Date.parse(createdAt) < askedMs - SETTLED_MS;
  return ledger.read((view) => {
    const endpoints = view.endpoints().filter((endpoint) => {
      const { id, networkId, sandboxId, handOver, createdAt, state } = endpoint;
      if (handOver === undefined || state !== 'attached') return false;
      const network = view.network(networkId);
      if (network === undefined || !isJudged(network.docker, createdAt)) return false;
      if (networks.get(dockerIdOf(network))?.endpoints.has(id) === true) return false;
      const netns = view.sandbox(sandboxId)?.netns;
      return netns === undefined || netns.inode === 0 || !kernel.netnsInUse(netns);
    });
    const going = new Set(endpoints.map(({ id }) => id));
    return {
      endpoints,
      networks: view
        .networks()
        .filter((network) => isJudged(network.docker, network.createdAt) && !networks.has(dockerIdOf(network)))
        .filter((network) => view.endpointsOfNetwork(network.id).every(isInNoWay(network, going))),
      pools: view
        .dockerPools()
        .filter(({ subnet, docker, createdAt }) => isJudged(docker, createdAt) && !ownSubnets.has(subnet)),
    };
  });
}

/** Containers of others go on with a network of the cluster, whatever Docker has forgotten. */
function isInNoWay({ scope }: Network, going: ReadonlySet<string>): (endpoint: Endpoint) => boolean {
  return ({ id, handOver }) => going.has(id) || (scope === 'global' && handOver === undefined);
}

async function collectForgotten(context: EngineContext, sight: DockerSight): Promise<Garbage[]> {
  const { endpoints, networks, pools } = forgottenIn(context, sight);
  const names = context.ledger.read(
    (view) =>
      new Map(
        endpoints.map(({ id, sandboxId, networkId }) => [
          id,
          `${view.sandbox(sandboxId)?.name ?? '?'} on ${view.network(networkId)?.name ?? '?'}`,
        ]),
      ),
  );
  const collected: Garbage[] = [];
  const collect = async (kind: Garbage['kind'], name: string, work: () => unknown): Promise<void> => {
    try {
      await work();
      collected.push({ kind, name, reason: 'Docker has forgotten it' });
    } catch (error) {
      collected.push({ kind, name, reason: `Docker has forgotten it, and it could not be removed: ${reason(error)}` });
    }
  };
  for (const { id } of endpoints)
    await collect('endpoint', names.get(id) ?? id, () => context.lock.shared(() => detach(context, id)));
  for (const network of networks) {
    await collect('network', network.name, () => removeDockerNetwork(context, dockerIdOf(network)));
  }
  for (const { id, subnet } of pools)
    await collect('network', `subnet ${subnet}`, () => {
      releaseDockerPool(context, id);
    });
  return collected;
}
