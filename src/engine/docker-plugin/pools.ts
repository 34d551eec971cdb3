/**
 * Subnets and addresses for Docker's IPAM (`docker network create --ipam-driver tsnet`).
 *
 * Docker asks for a subnet, and for its gateway and aux addresses, before it makes the network, by whichever driver; it releases
 * them after it has removed it, and tells nobody again when it restarts. So subnets are records of their own, durable as networks
 * are, and hold what was asked for by name. Addresses of containers live as long as the kernel's state, as leases: of the
 * network where it is ours, else of the subnet's own record.
 */
import { familyOf, formatAddress, parseAddress, parsePrefix, withoutLength } from '../../model/address.ts';
import { TsnetError } from '../../model/error.ts';
import { timestamp } from '../../model/ids.ts';
import type { LedgerChange, LedgerView } from '../../model/ledger.ts';
import { DOCKER_IPAM, type DockerPool, type Family, type Network, type Pool } from '../../model/records.ts';
import { chooseAddress, restedAddresses } from '../../ipam/choose-address.ts';
import { completePools } from '../../ipam/complete-pool.ts';
import { refuseOverlap } from '../../ipam/overlap.ts';
import { chooseSubnet } from '../choose-subnet.ts';
import { DOCKER_HOLDER } from '../cluster-addresses.ts';
import { isOfCluster } from '../cluster.ts';
import type { EngineContext } from '../context.ts';
import { usedSubnets } from '../draft-network.ts';
import { RELEASED_AT_ONCE } from '../draft-endpoint.ts';
import { withSpace } from '../gc.ts';
import { recover } from '../recover.ts';
import { askedAddress, refuseHeld } from './asked-address.ts';
import { joinable } from './cluster-networks.ts';
import { holdInCluster } from './hold-in-cluster.ts';

export interface DockerPoolRequest {
  readonly family: Family;
  /** "10.0.0.0/24"; "0.0.0.0/24": any of this size; absent: any. */
  readonly subnet?: string;
  readonly range?: string;
}

/** Holds a subnet for Docker, for good. */
export async function requestDockerPool(context: EngineContext, request: DockerPoolRequest): Promise<DockerPool> {
  const { family, range } = request;
  await recover(context);
  const facts = await context.kernel.facts();
  return context.ledger.changeNetworks((change) => {
    const used = usedSubnets(change);
    const any = anyOfLength(request.subnet);
    const wanted =
      request.subnet === undefined || any !== undefined
        ? chooseSubnet(context, change, { family, used, facts, ...(any === undefined ? {} : { length: any }) })
        : request.subnet;
    const [pool] = completePools({
      requests: [{ subnet: wanted, ...(range === undefined ? {} : { range }) }],
      gateway: 'given',
    });
    if (pool === undefined || familyOf(pool.subnet) !== family) {
      throw new TsnetError('INVALID', `hold subnet ${wanted} for Docker: it is no IPv${family} subnet`);
    }
    const shared = joinable(context, change.networks(), pool.subnet)?.network.name;
    refuseOverlap(
      pool.subnet,
      used.filter(({ network, subnet }) => network !== shared || subnet !== pool.subnet),
    );
    refuseHeldPool(change, pool.subnet);
    const held: DockerPool = {
      version: 1,
      id: poolId(pool),
      subnet: pool.subnet,
      ...(pool.range === undefined ? {} : { range: pool.range }),
      held: [],
      docker: {},
      createdAt: timestamp(context.now()),
    };
    change.putDockerPool(held);
    return held;
  });
}

/** A network of the cluster may have the subnet already: then Docker joins it. But once. */
function refuseHeldPool(view: LedgerView, subnet: string): void {
  if (!view.dockerPools().some((pool) => pool.subnet === subnet)) return;
  throw new TsnetError(
    'FORBIDDEN',
    `subnet ${subnet} is held for Docker already (--ipam-driver tsnet); choose another --subnet, or leave it out`,
  );
}

/** 24 of "0.0.0.0/24", which means any subnet of this size. */
function anyOfLength(subnet: string | undefined): number | undefined {
  const length = /^(?:0\.0\.0\.0|::)\/(\d{1,3})$/.exec(subnet ?? '')?.[1];
  return length === undefined || length === '0' ? undefined : Number(length);
}

/** A subnet is held once, so its name will do; leases are kept under it, which want no "/". */
function poolId({ subnet, range }: Pool): string {
  return ['tsnet', subnet, ...(range === undefined ? [] : [range])].join('+').replaceAll('/', '-');
}

/** What is gone already is released. */
export function releaseDockerPool(context: EngineContext, id: string): void {
  if (context.ledger.read((view) => view.dockerPool(id)) === undefined) return;
  context.ledger.changeNetworks((change) => {
    change.forgetNetwork(id);
    change.deleteDockerPool(id);
  });
}

export interface DockerAddressRequest {
  readonly poolId: string;
  readonly address?: string;
  /** It is the gateway of a network to be. */
  readonly isGateway: boolean;
}

/** "10.0.0.2/24", held for Docker. */
export async function requestDockerAddress(context: EngineContext, request: DockerAddressRequest): Promise<string> {
  await recover(context);
  return withSpace(context, async () => {
    const [pool, network] = context.ledger.read((view) => poolAndNetwork(view, request.poolId));
    return network !== undefined && isOfCluster(context, network)
      ? holdInCluster(context, { pool, network, asked: request.address })
      : holdAddress(context, request);
  });
}

function holdAddress(context: EngineContext, request: DockerAddressRequest): string {
  const { ledger } = context;
  const [pool, network] = ledger.read((view) => poolAndNetwork(view, request.poolId));
  const { length } = parsePrefix(pool.subnet);
  if (network !== undefined) {
    return ledger.change((change) => {
      const address = choose(context, change, { pool, holder: network.id, network, request });
      hold(change, network.id, address, request);
      return `${address}/${length}`;
    });
  }
  const shared = ledger.read((view) => joinable(context, view.networks(), pool.subnet));
  if (!request.isGateway && request.address === undefined) {
    if (shared !== undefined) {
      throw new TsnetError(
        'FORBIDDEN',
        `give Docker an address of ${pool.subnet}: it is network ${shared.network.name}'s, of the cluster; create Docker's with -d tsnet -o driver=${shared.network.driver} -o name=${shared.network.name}`,
      );
    }
    return ledger.change((change) => {
      const address = choose(context, change, { pool, holder: pool.id, request });
      hold(change, pool.id, address, request);
      return `${address}/${length}`;
    });
  }
  return ledger.changeNetworks((change) => {
    const [current] = poolAndNetwork(change, request.poolId);
    // All hosts have the same one.
    const gateway = request.isGateway && request.address === undefined ? shared?.pool.gateway : undefined;
    const address = gateway ?? choose(context, change, { pool: current, holder: pool.id, request });
    change.putDockerPool({ ...current, held: [...current.held, address] });
    return `${address}/${length}`;
  });
}

function hold(change: LedgerChange, holder: string, address: string, { address: asked }: DockerAddressRequest): void {
  change.holdAddress(holder, address, { kind: 'docker' }, asked === undefined ? 'dynamic' : 'static');
}

interface Choice {
  readonly pool: DockerPool;
  /** Under which id its leases are kept. */
  readonly holder: string;
  readonly network?: Network;
  readonly request: DockerAddressRequest;
}

/** The address that is asked for, if it is free; else the next one. */
function choose(context: EngineContext, change: LedgerChange, { pool, holder, network, request }: Choice): string {
  const family = familyOf(pool.subnet);
  const name = network?.name ?? `of Docker's on ${pool.subnet}`;
  if (request.address !== undefined) {
    const address = askedAddress(pool, request.address);
    refuseHeld(change, { pool, holder, address });
    return address;
  }
  const leases = change.leasesFor(holder, family);
  for (const rested of restedAddresses({ leases, family, nowMs: context.now(), atMost: RELEASED_AT_ONCE })) {
    change.releaseAddress(holder, rested);
  }
  const { subnet, range, held } = pool;
  return chooseAddress({
    network: name,
    pools: network?.pools.filter((one) => one.subnet === subnet) ?? [
      { subnet, ...(range === undefined ? {} : { range }), aux: {} },
    ],
    family,
    leases: change.leasesFor(holder, family),
    reserved: held,
  }).address;
}

/** What is free already is released. The address of an endpoint goes with the endpoint. */
export async function releaseDockerAddress(context: EngineContext, id: string, typed: string): Promise<void> {
  const { ledger } = context;
  const address = formatAddress(parseAddress(withoutLength(typed)));
  const pool = ledger.read((view) => view.dockerPool(id));
  if (pool === undefined) return;
  if (pool.held.includes(address)) {
    ledger.changeNetworks((change) => {
      const current = change.dockerPool(id);
      if (current !== undefined)
        change.putDockerPool({ ...current, held: current.held.filter((one) => one !== address) });
    });
    return;
  }
  const network = ledger.change((change) => {
    const found = networkOf(change, pool);
    const holder = found?.id ?? id;
    if (change.lease(holder, address)?.kind !== 'docker') return undefined;
    const untilMs = context.now() + context.config.quarantineSeconds * 1000;
    if (context.config.quarantineSeconds > 0)
      change.holdAddress(holder, address, { kind: 'quarantine', untilMs }, 'static');
    else change.releaseAddress(holder, address);
    return found;
  });
  if (network !== undefined && isOfCluster(context, network))
    await context.cluster?.release(network, DOCKER_HOLDER, [address]);
}

function poolAndNetwork(view: LedgerView, id: string): [DockerPool, Network | undefined] {
  const pool = view.dockerPool(id);
  if (pool === undefined) {
    throw new TsnetError(
      'NOT_FOUND',
      `find pool ${id}: no such pool is held for Docker; remove the network and create it again`,
    );
  }
  return [pool, networkOf(view, pool)];
}

/** The network of ours that Docker has made on a pool. */
function networkOf(view: LedgerView, { subnet }: DockerPool): Network | undefined {
  return view
    .networks()
    .find(
      ({ docker, ipamDriver, pools }) =>
        docker !== undefined && ipamDriver !== DOCKER_IPAM && pools.some((pool) => pool.subnet === subnet),
    );
}
