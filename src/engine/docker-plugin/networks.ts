/** Networks that Docker makes through our plugin: ours in all but who gives the orders. */
import { TsnetError } from '../../model/error.ts';
import { shortId } from '../../model/ids.ts';
import type { Network } from '../../model/records.ts';
import type { EngineContext } from '../context.ts';
import { createNetwork } from '../create-network.ts';
import { detach } from '../detach.ts';
import { recover } from '../recover.ts';
import { removeNetwork } from '../remove-network.ts';

export interface DockerNetworkPool {
  readonly subnet: string;
  readonly gateway?: string;
  readonly aux: Readonly<Record<string, string>>;
  /** Our IPAM holds it for Docker; else Docker's own gives the addresses. */
  readonly isOurs: boolean;
}

export interface CreateDockerNetworkRequest {
  /** Docker's, and ours from then on. */
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
  const { id, driver, pools, internal, enableIPv6, options } = request;
  const name = request.name ?? unnamed(id);
  const there = context.ledger.read((view) => view.network(id));
  if (there?.state === 'active') return [];
  refuseDriver(context, driver, `create network ${name}`);
  const ownSubnets = pools.filter(({ isOurs }) => isOurs).map(({ subnet }) => subnet);
  const ranges = context.ledger.read((view) => new Map(view.dockerPools().map(({ subnet, range }) => [subnet, range])));
  const { warnings } = await createNetwork(
    context,
    {
      name,
      driver,
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
    },
    { id, ownSubnets },
  );
  return warnings;
}

function refuseDriver({ drivers }: EngineContext, driver: string, act: string): void {
  const found = drivers.named(driver);
  if (found === undefined) {
    throw new TsnetError(
      'NOT_FOUND',
      `${act}: tsnet has no driver "${driver}" for Docker; name one with -o driver=, such as bridge, macvlan or ipvlan`,
    );
  }
  if (found.scope !== 'global') return;
  throw new TsnetError(
    'UNSUPPORTED',
    `${act}: the addresses of ${driver} networks are for all hosts, and Docker's IPAM is one host's; create it with \`tsnet create -d ${driver}\` and connect containers to it as docker:NAME`,
  );
}

/** What a network is called until Docker is asked what it calls it. */
export function unnamed(id: string): string {
  return `docker-${shortId(id)}`;
}

/** With what Docker had on it; one that is gone already is removed. Others' containers keep it. */
export async function removeDockerNetwork(context: EngineContext, id: string): Promise<void> {
  await recover(context);
  if (context.ledger.read((view) => view.network(id)) === undefined) return;
  await context.lock.shared(async () => {
    const left = context.ledger.read((view) => view.endpointsOfNetwork(id));
    for (const { id: endpointId, handOver } of left) if (handOver !== undefined) await detach(context, endpointId);
  });
  await removeNetwork(context, { network: id });
}

/** @throws TsnetError NOT_FOUND */
export function requireDockerNetwork({ ledger }: EngineContext, id: string, act: string): Network {
  const network = ledger.read((view) => view.network(id));
  if (network?.state === 'active') return network;
  throw new TsnetError(
    'NOT_FOUND',
    `${act}: tsnet knows no network ${shortId(id)}; \`docker network rm\` it and create it again`,
  );
}
