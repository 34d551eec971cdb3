/**
 * One network of the cluster that this host has containers on. How addresses are had is the network's: each is claimed by itself
 * (`address-network.ts`), or out of blocks that hosts have (`block-network.ts`).
 */
import type { ClusterClock } from '../../cluster/clock.ts';
import type { Hosts } from '../../cluster/hosts.ts';
import type { Mirror } from '../../cluster/mirror.ts';
import { layoutOf, type Claim, type ClaimRequest } from '../../engine/cluster.ts';
import type { EngineContext } from '../../engine/context.ts';
import type { ClusterStore } from '../../model/cluster-store.ts';
import type { Network } from '../../model/records.ts';
import type { Peer } from '../../plan/driver.ts';
import type { Plan } from '../../plan/resource.ts';
import type { Log } from '../log.ts';
import { joinByAddress } from './address-network.ts';
import { joinByBlock } from './block-network.ts';

export interface JoinedNetwork {
  readonly network: Network;
  /** What all hosts say of it. */
  readonly mirror: Mirror;
  /** Has addresses for an endpoint that is about to be made; the errors of `Cluster.claim`. */
  claim(request: ClaimRequest): Promise<Claim>;
  /** Tells whose addresses are that this host has; the errors of `Cluster.assign`. */
  assign(request: ClaimRequest): Promise<void>;
  /** The endpoint of these addresses is on record, or they were released. */
  settle(addresses: readonly string[]): void;
  /** Rejects where the store is needed and cannot be asked. */
  release(sandboxId: string, addresses: readonly string[]): Promise<void>;
  /** This host may have been out of the cluster: what it wrote may not be there any more. */
  doubt(): void;
  /** This host's own keys against its own record. Rejects where the store cannot be asked. */
  reconcile(): Promise<void>;
  /** In so many milliseconds that is to be done again, though nothing happens; undefined: not before something does. */
  dueInMs(): number | undefined;
  /** Nothing in the store is this host's. */
  isClear(): boolean;
  /** What all hosts have in the store, this one included. */
  counts(): { readonly endpoints: number; readonly blocks?: number };
  /** Addresses of the containers on other hosts that answer to a name, in lower case. Rejects where nobody can say now. */
  named(name: string): readonly string[] | Promise<readonly string[]>;
  /** What the container on another host that has an address is called first. Rejects where nobody can say now. */
  nameOf(address: string): string | undefined | Promise<string | undefined>;
  hostsChanged(hostIds: readonly string[]): void;
  /** Resolves when the kernel has what is known now. */
  flush(): Promise<void>;
  /** What other hosts have, as far as the kernel should know of it. */
  peers(): readonly Peer[];
  /** What the kernel has of them. */
  plan(): Plan;
  /** Leaves the kernel as it is: the next daemon goes on. */
  close(): Promise<void>;
  /** This host has no container there any more. */
  leave(): Promise<void>;
}

export interface JoinOptions {
  readonly context: EngineContext;
  readonly store: ClusterStore;
  readonly network: Network;
  readonly self: string;
  readonly hosts: Hosts;
  readonly clock: ClusterClock;
  readonly log: Log;
  readonly file: string;
  readonly quarantineMs: number;
  readonly onLive: (isLive: boolean) => void;
  /** @throws TsnetError RUNTIME where this host is not in the cluster now */
  readonly beInTouch: () => void;
  /** For how long this host has been out of the cluster, milliseconds. */
  readonly outageMs: () => number;
  /** Whether the cluster has the network, and nobody is removing it, as far as that is known. */
  readonly isActive: (networkId: string) => boolean;
  /** This host's own keys are to be looked after before long. */
  readonly lookSoon: () => void;
}

/** What the other hosts need to hear of something of ours and tell their kernels. */
export const HEARD_MS = 10;

export function joinNetwork(options: JoinOptions): JoinedNetwork {
  const layout = layoutOf(options.context, options.network);
  return layout === undefined ? joinByAddress(options) : joinByBlock(options, layout);
}
