/** Networks that Docker makes through our plugin: ours in all but who gives the orders. */
import { TsnetError } from '../../model/error.ts';
import { shortId } from '../../model/ids.ts';
import type { Driver } from '../../plan/driver.ts';
import { isClustered, isOfCluster } from '../cluster.ts';
import type { EngineContext } from '../context.ts';
import { createNetwork } from '../create-network.ts';
import { detach } from '../detach.ts';
import { recover } from '../recover.ts';
import { removeNetwork } from '../remove-network.ts';
import { checkClusterRequest, joinOrMake, leaveClusterNetwork } from './cluster-networks.ts';
import { networkOfDocker } from './docker-networks.ts';

export interface DockerNetworkPool {
  readonly subnet: string;
  readonly gateway?: string;
  readonly aux: Readonly<Record<string, string>>;
  /** Our IPAM holds it for Docker; else Docker's own gives the addresses. */
  readonly isOurs: boolean;
}

export interface CreateDockerNetworkRequest {
  /** Docker's, and ours from then on, unless it is a network of the cluster that is there already. */
  readonly id: string;
  /** Absent: {@link unnamed}. Docker tells drivers no names. */
  readonly name?: string;
  readonly driver: string;
  readonly pools: readonly DockerNetworkPool[];
  readonly internal: boolean;
  readonly enableIPv6: boolean;
  readonly options: Readonly<Record<string, string>>;
}

/** The warnings. Asked for a second time it is there. */
export async function createDockerNetwork(
  context: EngineContext,
  request: CreateDockerNetworkRequest,
): Promise<readonly string[]> {
  const { id, pools, internal, enableIPv6, options } = request;
  const name = request.name ?? unnamed(id);
  const act = `create network ${name}`;
  const there = context.ledger.read((view) => networkOfDocker(view, id));
  if (there?.state === 'active') return [];
  const driver = requireDriver(context, request.driver, act);
  const ownSubnets = pools.filter(({ isOurs }) => isOurs).map(({ subnet }) => subnet);
  if (isClustered(driver)) {
    checkClusterRequest(
      context,
      { name: request.name, driver: driver.name, areOurs: ownSubnets.length === pools.length },
      act,
    );
  }
  const ranges = context.ledger.read((view) => new Map(view.dockerPools().map(({ subnet, range }) => [subnet, range])));
  const wanted = {
    name,
    driver: request.driver,
    internal,
    enableIPv4: pools.some(({ subnet }) => !subnet.includes(':')),
    enableIPv6,
    options,
    ipam: pools.map(({ subnet, gateway, aux, isOurs }) => {
      const range = isOurs ? ranges.get(subnet) : undefined;
      return {
        subnet,
        aux,
        ...(gateway === undefined ? {} : { gateway }),
        ...(range === undefined ? {} : { range }),
      };
    }),
  };
  const make = async (): Promise<readonly string[]> =>
    (await createNetwork(context, wanted, { id, ownSubnets })).warnings;
  return isClustered(driver) ? joinOrMake(context, { id, wanted, driver, make }) : make();
}

function requireDriver({ drivers }: EngineContext, driver: string, act: string): Driver {
  const found = drivers.named(driver);
  if (found === undefined) {
    throw new TsnetError(
      'NOT_FOUND',
      `${act}: tsnet has no driver "${driver}" for Docker; name one with -o driver=, such as bridge, macvlan, ipvlan or overlay`,
    );
  }
  if (found.scope !== 'global' || isClustered(found)) return found;
  throw new TsnetError(
    'UNSUPPORTED',
    `${act}: ${driver} networks are for all hosts, and how they are so is their plugin's; create it with \`tsnet create -d ${driver}\` and connect containers to it as docker:NAME`,
  );
}

/** What a network is called until Docker is asked what it calls it. */
export function unnamed(id: string): string {
  return `docker-${shortId(id)}`;
}

/**
 * With what Docker had on it; one that is gone already is removed. Others' containers keep it. Answers why a network of the cluster
 * stays there, where it does.
 */
export async function removeDockerNetwork(context: EngineContext, id: string): Promise<string | undefined> {
  await recover(context);
  const network = context.ledger.read((view) => networkOfDocker(view, id));
  if (network === undefined) return undefined;
  await context.lock.shared(async () => {
    const left = context.ledger.read((view) => view.endpointsOfNetwork(network.id));
    for (const { id: endpointId, handOver } of left) if (handOver !== undefined) await detach(context, endpointId);
  });
  if (isOfCluster(context, network)) return leaveClusterNetwork(context, network);
  await removeNetwork(context, { network: network.id });
  return undefined;
}
