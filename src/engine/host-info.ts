/** What `tsnet info` tells of this host; the part of the engine's contract that is only looked at. */
import type { DriverReport } from './drivers.ts';

/** What `tsnet info` says of the cluster that this host is in. */
export interface ClusterInfo {
  readonly hostId: string;
  readonly name: string;
  /** Where the other hosts send this host's frames. */
  readonly address: string;
  readonly port: number;
  readonly mtu: number;
  readonly store: {
    readonly kind: string;
    readonly endpoint?: string;
    readonly reachable: boolean;
    readonly reason?: string;
  };
  readonly session: 'held' | 'lost';
  /** Until the others take this host for dead, unless the store hears of it. */
  readonly sessionRemainingMs?: number;
  /** Why it is lost. */
  readonly sessionReason?: string;
  /** The others. */
  readonly hosts: readonly {
    readonly id: string;
    readonly name: string;
    readonly address: string;
    readonly state: 'alive' | 'gone' | 'held' | 'dead';
  }[];
  /** Hosts that are missing, so many that none is taken for dead. */
  readonly held: number;
  /** How old what is known of the hosts may be. */
  readonly lagMs: number;
  /** Networks with containers of this host. */
  readonly networks: readonly {
    readonly name: string;
    /** Addresses on all hosts; where hosts have blocks, on this one. */
    readonly endpoints: number;
    /** Of addresses, that hosts have. */
    readonly blocks?: number;
    /** Entries of the kernel that lead to other hosts. */
    readonly entries: number;
    readonly lagMs: number;
  }[];
  /** Networks of the cluster that cannot be used here. */
  readonly problems: readonly { readonly name: string; readonly reason: string }[];
}

/** What `tsnet info` says of the daemon, where one answers. */
export interface DaemonInfo {
  readonly pid: number;
  /** RFC 3339, UTC. */
  readonly startedAt: string;
  /** Resources that were mended without being asked, since then. */
  readonly repaired: number;
  /** What somebody breaks again and again, or what cannot be mended. */
  readonly flapping: readonly {
    readonly owner: string;
    readonly what: string;
    readonly times: number;
    /** Unix time in milliseconds: left alone until then. */
    readonly untilMs: number;
    readonly reason?: string;
  }[];
  /** Published host ports that are bound, so that no other program takes them. */
  readonly heldPorts: number;
  /** Published host ports that somebody else has. */
  readonly takenPorts: readonly {
    readonly protocol: string;
    readonly address: string;
    readonly port: number;
    readonly reason: string;
    readonly holder?: string;
  }[];
  /** Sandboxes in which names are served. */
  readonly namesServed: number;
  /** Where daemon.json names a cluster store. */
  readonly cluster?: ClusterInfo;
}

export interface Info {
  readonly version: string;
  readonly networks: number;
  readonly sandboxes: number;
  readonly endpoints: number;
  readonly leases: number;
  readonly publishedPorts: number;
  readonly pending: number;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly firewallBackend: string;
  readonly drivers: readonly DriverReport[];
  /** Kinds of link that drivers need → whether this kernel has them. */
  readonly linkKinds: Readonly<Record<string, boolean>>;
  readonly addressPools: readonly { readonly base: string; readonly size: number }[];
  /** Kernel parameters of the host that tsnet changed, with the value they had. */
  readonly changedSysctls: readonly { readonly key: string; readonly before: string; readonly now: string }[];
  readonly warnings: readonly string[];
  /** Who answered, where it is a daemon. */
  readonly daemon?: DaemonInfo;
}
