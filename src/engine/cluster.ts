/**
 * What the use cases ask of the cluster that this host is in (implemented in `src/daemon/cluster/`). Only a daemon is in one: it
 * holds the session that says that this host is alive, and hears of the others.
 */
import { blockLayout, type BlockLayout } from '../cluster/block-layout.ts';
import type { ClaimRequest } from '../cluster/claims.ts';
import { TsnetError } from '../model/error.ts';
import type { Network } from '../model/records.ts';
import type { ClusterDraft, Driver, Underlay } from '../plan/driver.ts';
import { driverOf, type EngineContext } from './context.ts';

export type { ClaimRequest };

/** Addresses that are this host's in the whole cluster. */
export interface Claim {
  readonly ip?: string;
  readonly ip6?: string;
  /** Resolves when the other hosts have had time to hear of it. */
  readonly heard: Promise<void>;
}

/** An endpoint on another host. */
export interface RemoteEndpoint {
  readonly sandboxId: string;
  readonly name: string;
  readonly mac: string;
  /** "10.77.0.5" */
  readonly addresses: readonly string[];
  /** Name of its host. */
  readonly host: string;
}

export interface NetworkPeers {
  /** Hosts that have endpoints or blocks of addresses there, this one included. */
  readonly hosts: readonly {
    readonly name: string;
    readonly address: string;
    readonly state: string;
    /** "10.77.3.0/24" */
    readonly blocks?: readonly string[];
  }[];
  /** Empty where hosts have blocks: then nobody knows the others' containers. */
  readonly endpoints: readonly RemoteEndpoint[];
}

/** A host of the cluster: one that is there, or was and left its keys in the store. */
export interface ClusterHost {
  readonly id: string;
  readonly name: string;
  /** Where frames for its containers go; absent for one that this host never saw. */
  readonly address?: string;
  /** `gone`: silent for a moment. `held`: as `gone`, with so many others that the store is thought to be at fault. */
  readonly state: 'alive' | 'gone' | 'held' | 'dead';
  readonly isSelf: boolean;
  /** RFC 3339: since when it has been silent, as far as this host has seen it. */
  readonly silentSince?: string;
  /** What it has in the store, by network. */
  readonly networks: readonly HostHolding[];
}

export interface HostHolding {
  readonly network: string;
  readonly addresses: number;
  /** "10.77.3.0/24" */
  readonly blocks: readonly string[];
}

export interface RemoveHostRequest {
  /** Name, id or unique beginning of the id. */
  readonly host: string;
  /** One that may still come back too: silent for a moment, or missing with many others. Never one that is there. */
  readonly force?: boolean;
  /** Nothing is written: the answer says what would go. */
  readonly dryRun?: boolean;
}

/** Who was removed, and what it had. */
export type RemovedHost = Pick<ClusterHost, 'id' | 'name' | 'networks'>;

/** Every call rejects with RUNTIME or TIMEOUT where the store cannot be asked, within 2 s. */
export interface Cluster {
  /** What a driver is told when a network is made. */
  draft(): Promise<ClusterDraft>;
  /** This host's place among the others. */
  underlay(): Underlay;
  /**
   * Writes a network down for all hosts and runs `work`; where that fails it is taken back. `vni-taken`: nothing was done, the number
   * is another network's.
   */
  withNetwork<T>(network: Network, vnis: readonly number[], work: () => Promise<T>): Promise<T | 'vni-taken'>;
  /** For a network whose record changed. */
  updateNetwork(network: Network): Promise<void>;
  /** The network that has a name in the cluster, whichever host made it, though it may not be on record here yet. */
  networkNamed(name: string): Promise<Network | undefined>;
  /**
   * Says that this host's Docker has a network: no other host removes it.
   * @throws TsnetError NOT_FOUND where the network is going
   */
  holdForDocker(network: Network): Promise<void>;
  releaseForDocker(network: Network): Promise<void>;
  /** @throws TsnetError FORBIDDEN while other hosts have endpoints on it, or their Docker has it */
  removeNetwork(network: Network, vnis: readonly number[]): Promise<void>;
  /**
   * Claims addresses for an endpoint that is about to be made, and makes the endpoints of the other hosts known to the kernel: the
   * network is up.
   * @throws TsnetError FORBIDDEN, EXHAUSTED, NOT_FOUND
   */
  claim(request: ClaimRequest): Promise<Claim>;
  /**
   * Tells the cluster whose addresses are that this host has claimed before it knew, as Docker's IPAM has them; those that it has not are
   * claimed.
   * @throws TsnetError FORBIDDEN where another host has one
   */
  assign(request: ClaimRequest): Promise<void>;
  /** The endpoint of a claim is on record, or the claim was released. */
  settle(network: Network, addresses: readonly string[]): void;
  /** Who is on a network, on whatever host; as far as that is known now. */
  peers(networkId: string): Promise<NetworkPeers>;
  hosts(): Promise<ClusterHost[]>;
  /** @throws TsnetError NOT_FOUND, AMBIGUOUS; FORBIDDEN for one that is there, or may be */
  removeHost(request: RemoveHostRequest): Promise<RemovedHost>;
  /** Gives addresses back. Never rejects: what cannot be given back now is when the store can be asked again. */
  release(network: Network, sandboxId: string, addresses: readonly string[]): Promise<void>;
}

/** Whether the networks of a driver are those of a cluster. A Docker plugin of scope global minds its own. */
export function isClustered(driver: Pick<Driver, 'peerPlan'>): boolean {
  return driver.peerPlan !== undefined;
}

/** The same of a network on record, whose driver may be gone. */
export function isOfCluster({ drivers }: EngineContext, network: Network): boolean {
  const driver = network.scope === 'global' ? drivers.of(network) : undefined;
  return driver !== undefined && isClustered(driver);
}

/** @throws TsnetError where this process is in no cluster */
export function requiredCluster(
  { cluster, config }: EngineContext,
  act: string,
  needs = 'overlay networks need',
): Cluster {
  if (cluster !== undefined) return cluster;
  if (config.cluster === undefined) {
    throw new TsnetError(
      'UNSUPPORTED',
      `${act}: ${needs} a store that the hosts share; name it in daemon.json ("cluster-store": "etcd://10.0.0.5:2379") and start \`tsnet daemon\``,
    );
  }
  throw new TsnetError(
    'RUNTIME',
    `${act}: ${needs} the daemon, which tells the other hosts; start it with \`tsnet daemon\``,
  );
}

/** How a network is cut into blocks, where its hosts have such. */
export function layoutOf(context: EngineContext, network: Network): BlockLayout | undefined {
  const length = context.drivers.of(network)?.blockLength?.(network);
  return length === undefined ? undefined : blockLayout(network, length);
}

/** Where hosts have blocks, IPv6 containers have single addresses and a route to the gateway; Docker gives its own the whole subnet. */
export function refuseRoutedIPv6(context: EngineContext, network: Network, act: string): void {
  if (!network.enableIPv6 || layoutOf(context, network) === undefined) return;
  throw new TsnetError(
    'UNSUPPORTED',
    `${act}: Docker's containers cannot have IPv6 on a network with mode=block; leave one of the two out`,
  );
}

/** The numbers that a network has on the wire. */
export function vnisOf(context: EngineContext, network: Network): number[] {
  return driverOf(context, network)
    .networkPlan(network)
    .flatMap((resource) => (resource.kind === 'vxlan' ? [resource.vni] : []));
}

/** The record as this host has it. */
export function localized(context: EngineContext, network: Network, underlay: Underlay): Network {
  const { localize } = driverOf(context, network);
  return localize === undefined ? network : { ...network, settings: localize(network, underlay) };
}
