/**
 * Networks of a cluster that Docker has: one network for all hosts, which each host's Docker has by an id of its own. The first host makes
 * it, the others join by the same command; the last one to remove it takes it away.
 *
 * Docker tells drivers no names, and the name is what hosts know the network by: it comes as an option. Its addresses are everybody's, so
 * that they come from our IPAM, which claims them in the store; Docker's own would give every host the same ones.
 */
import { TsnetError } from '../../model/error.ts';
import type { Network, Pool } from '../../model/records.ts';
import type { Driver } from '../../plan/driver.ts';
import { isOfCluster, refuseRoutedIPv6, requiredCluster, type Cluster } from '../cluster.ts';
import { adoptNetwork } from '../cluster-networks.ts';
import type { EngineContext } from '../context.ts';
import type { CreateNetworkRequest } from '../engine.ts';
import { parseOptions } from '../parse-options.ts';
import { removeNetwork } from '../remove-network.ts';
import { dockerIdOf } from './docker-networks.ts';

export interface ClusterNetworkRequest {
  /** Docker's. */
  readonly id: string;
  readonly wanted: CreateNetworkRequest & { readonly name: string };
  readonly driver: Driver;
  /** Makes it, as Docker's. Answers the warnings. */
  readonly make: () => Promise<readonly string[]>;
}

/** @throws TsnetError INVALID, UNSUPPORTED, RUNTIME where Docker cannot have such a network at all */
export function checkClusterRequest(
  context: EngineContext,
  { name, driver, areOurs }: { readonly name: string | undefined; readonly driver: string; readonly areOurs: boolean },
  act: string,
): void {
  requiredCluster(context, act);
  if (!areOurs) {
    throw new TsnetError(
      'INVALID',
      `${act}: addresses of ${driver} networks are for all hosts, and Docker's own IPAM is one host's; add --ipam-driver tsnet`,
    );
  }
  if (name !== undefined) return;
  throw new TsnetError(
    'INVALID',
    `${act}: the hosts know ${driver} networks by name, and Docker tells drivers none; add -o name=NAME`,
  );
}

/** Each try that fails was crossed by another host's. */
const MOST_TRIES = 3;

/** Joins the network of this name, or makes it where the cluster has none. Answers the warnings. */
export async function joinOrMake(context: EngineContext, request: ClusterNetworkRequest): Promise<readonly string[]> {
  const { name } = request.wanted;
  const cluster = requiredCluster(context, `create network ${name}`);
  for (let tries = 1; ; tries++) {
    const there = await cluster.networkNamed(name);
    if (there !== undefined) {
      await join(context, cluster, there, request);
      return [];
    }
    try {
      return await request.make();
    } catch (error) {
      const isCrossed = error instanceof TsnetError && (error.code === 'CONFLICT' || error.code === 'FORBIDDEN');
      if (!isCrossed || tries === MOST_TRIES || (await cluster.networkNamed(name)) === undefined) throw error;
    }
  }
}

async function join(
  context: EngineContext,
  cluster: Cluster,
  shared: Network,
  { id, wanted, driver }: ClusterNetworkRequest,
): Promise<void> {
  const act = `join network ${shared.name} of the cluster`;
  if (shared.driver !== driver.name) {
    throw new TsnetError('CONFLICT', `${act}: its driver is ${shared.driver}; say -o driver=${shared.driver}`);
  }
  const problem = adoptNetwork(context, shared, cluster.underlay());
  if (problem !== undefined) throw new TsnetError('CONFLICT', `${act}: ${problem}`);
  await refuseOther(driver, shared, { wanted, act });
  refuseRoutedIPv6(context, shared, act);
  await cluster.holdForDocker(shared);
  context.ledger.changeNetworks((change) => {
    const network = change.network(shared.id);
    if (network?.state !== 'active') throw new TsnetError('CONFLICT', `${act}: it is being removed; try again`);
    if (network.docker !== undefined) {
      throw new TsnetError(
        'CONFLICT',
        `${act}: this host's Docker has it already, as network ${dockerIdOf(network).slice(0, 12)}`,
      );
    }
    change.putNetwork({ ...network, docker: { networkId: id } });
  });
}

interface Wish {
  readonly wanted: CreateNetworkRequest;
  readonly act: string;
}

/** All values are canonical: they come from our IPAM. The network is as its maker wanted it; who wants another one would not get it. */
async function refuseOther(driver: Driver, shared: Network, { wanted, act }: Wish): Promise<void> {
  const refuse = (what: string): never => {
    throw new TsnetError('CONFLICT', `${act}: ${what}`);
  };
  if ((wanted.internal ?? false) !== shared.internal) {
    refuse(shared.internal ? 'it is internal; add --internal' : 'it is not internal; leave --internal out');
  }
  const asked = (wanted.ipam ?? []).map((pool) => ({ ...pool, subnet: pool.subnet ?? '' }));
  const subnets = shared.pools.map(({ subnet }) => subnet);
  if (
    asked
      .map(({ subnet }) => subnet)
      .sort()
      .join() !== subnets.toSorted().join()
  ) {
    const flags = subnets.map((subnet) => `--subnet ${subnet}`).join(' ');
    refuse(`it has ${subnets.join(' and ')}; say ${shared.enableIPv6 ? '--ipv6 ' : ''}${flags}`);
  }
  for (const pool of asked) {
    const there = shared.pools.find(({ subnet }) => subnet === pool.subnet);
    const difference = there === undefined ? undefined : poolDifference(there, pool);
    if (difference !== undefined) refuse(difference);
  }
  const given = await parseOptions(driver, wanted.options ?? {}, act);
  const made = await parseOptions(driver, shared.options, act);
  for (const [key, value] of Object.entries(given)) {
    if (JSON.stringify(value) === JSON.stringify(made[key])) continue;
    const has = made[key] === undefined ? 'without it' : `with ${JSON.stringify(made[key])}`;
    refuse(`it was made ${has}, not with -o ${key}=${JSON.stringify(value)}; leave the option out`);
  }
}

function poolDifference(
  { subnet, gateway, range, route, aux }: Pool,
  asked: Omit<NonNullable<CreateNetworkRequest['ipam']>[number], 'subnet'>,
): string | undefined {
  if (asked.gateway !== undefined && asked.gateway !== gateway) {
    return `the gateway of ${subnet} is ${gateway ?? 'nobody'}; leave --gateway out`;
  }
  if (asked.range !== undefined && asked.range !== range) {
    return `addresses of ${subnet} are given ${range === undefined ? 'without a range' : `from ${range}`}; leave --ip-range out`;
  }
  const other = Object.entries(asked.aux ?? {}).find(([name, address]) => aux[name] !== address && route !== address);
  return other === undefined ? undefined : `${subnet} has no aux address ${other.join('=')}; leave --aux-address out`;
}

/**
 * This host's Docker has it no more. The network goes with it where Docker made it, no other host's Docker has it, and nobody is on it.
 * Answers why it stays, where it does.
 */
export async function leaveClusterNetwork(context: EngineContext, network: Network): Promise<string | undefined> {
  const act = `remove network ${network.name}`;
  const cluster = requiredCluster(context, act);
  // First of all, so that of two hosts that leave at the same time the last one finds nobody.
  await cluster.releaseForDocker(network);
  let stays = 'it was made without Docker; `tsnet rm` removes it';
  if (network.goesWithDocker === true) {
    try {
      await removeNetwork(context, { network: network.id });
      return undefined;
    } catch (error) {
      if (!(error instanceof TsnetError && (error.code === 'FORBIDDEN' || error.code === 'CONFLICT'))) throw error;
      stays = error.message.replace(`${act}: `, '');
    }
  }
  context.ledger.changeNetworks((change) => {
    const current = change.network(network.id);
    if (current?.docker === undefined) return;
    const { docker: _docker, ...rest } = current;
    change.putNetwork(rest);
  });
  return stays;
}

/** The network of the cluster whose subnet this is, and which this host's Docker does not have. */
export function joinable(
  context: EngineContext,
  networks: readonly Network[],
  subnet: string,
): { readonly network: Network; readonly pool: Pool } | undefined {
  for (const network of networks) {
    const pool = network.pools.find((one) => one.subnet === subnet);
    if (pool === undefined || network.docker !== undefined || network.state !== 'active') continue;
    if (isOfCluster(context, network)) return { network, pool };
  }
  return undefined;
}
