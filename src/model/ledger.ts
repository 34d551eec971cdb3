/**
 * What the engine asks of the ledger (implemented in `src/store/`).
 *
 * Reads and writes are synchronous and transactional over all processes on the host. Networks are durable (data-root);
 * sandboxes, endpoints, leases and host ports live as long as the kernel's own state (exec-root, emptied at reboot).
 */
import type {
  DockerPool,
  Endpoint,
  Family,
  Lease,
  LeaseHolder,
  Network,
  Protocol,
  PublishedPort,
  RuntimeKind,
  Sandbox,
} from './records.ts';

/** A maximal run of addresses that are all held, inclusive at both ends. */
export interface TakenRun {
  readonly start: bigint;
  readonly end: bigint;
}

/** The leases of one network in one family, as IPAM looks at them. Every call costs the same at any number of leases. */
export interface Leases {
  /** The run of held addresses that `address` lies in, if it is held at all. */
  takenRunAt(address: bigint): TakenRun | undefined;
  /** The last address that was given dynamically. */
  readonly last: bigint | undefined;
  /** Quarantined addresses of this network, and those that others had, the one waiting longest first. */
  quarantined(): Iterable<{ readonly address: bigint; readonly untilMs: number; readonly foreign?: true }>;
}

/** A claim on host ports. */
export interface PortClaim extends PublishedPort {
  readonly endpointId: string;
}

/** A kernel parameter of the host that tsnet changed, with the value it had before. */
export interface ChangedSysctl {
  readonly key: string;
  readonly before: string;
  readonly now: string;
}

/** A record left in a transient state; its owner may be at work, or dead. */
export interface Pending {
  readonly kind: 'network' | 'sandbox' | 'endpoint';
  readonly id: string;
}

/** A consistent view of everything. */
export interface LedgerView {
  /** 64 hex digits, made once for this data-root: what tells this installation from all others. */
  installationId(): string;
  networks(): Network[];
  network(id: string): Network | undefined;
  networkByName(name: string): Network | undefined;
  /** Subnets that Docker's IPAM holds with us. */
  dockerPools(): DockerPool[];
  dockerPool(id: string): DockerPool | undefined;
  /** Counts all changes of all processes: while it stands still, every answer is the one before. */
  revision(): number;
  /** Counts the changes of networks alone. */
  networkGeneration(): number;
  sandboxes(): Sandbox[];
  sandbox(id: string): Sandbox | undefined;
  sandboxByName(name: string): Sandbox | undefined;
  /** The sandbox whose namespace has this identity. */
  sandboxByNetns(netns: { readonly device: number; readonly inode: number }): Sandbox | undefined;
  /** The container of a runtime, by the runtime's own id of it. */
  sandboxOfRuntime(kind: RuntimeKind, id: string): Sandbox | undefined;
  endpoints(): Endpoint[];
  endpoint(id: string): Endpoint | undefined;
  endpointsOfNetwork(networkId: string): Endpoint[];
  hasEndpoints(networkId: string): boolean;
  endpointsOfSandbox(sandboxId: string): Endpoint[];
  /**
   * The endpoints that answer to a name on a network: by their sandbox's name, the first 12 digits of its id, or an alias; `name`
   * in lower case. Costs the same at any number of endpoints.
   */
  endpointsNamed(networkId: string, name: string): Endpoint[];
  /** Whether anything on any network answers to this name, in lower case. */
  isName(name: string): boolean;
  /** Whether a network has wildcard aliases, "*.app.test". */
  hasWildcards(networkId: string): boolean;
  /** In address order. */
  leases(networkId: string): Lease[];
  lease(networkId: string, address: string): LeaseHolder | undefined;
  leasesFor(networkId: string, family: Family): Leases;
  ports(): PortClaim[];
  /** Claims that collide with the wanted ports: same protocol, overlapping range, same address or a wildcard of its family. */
  portConflicts(wanted: PublishedPort): PortClaim[];
  /** The last ephemeral host port given for this protocol. */
  lastEphemeralPort(protocol: Protocol): number | undefined;
  /** Records in a transient state; costs the same whatever the number of settled ones. */
  pending(): Pending[];
  /** Kernel parameters of the host that tsnet changed since boot. */
  changedSysctls(): ChangedSysctl[];
  /** Whether the network's plan has been ensured since boot. */
  isRealized(networkId: string): boolean;
}

/** What a write transaction may do besides reading. */
export interface LedgerChange extends LedgerView {
  putSandbox(sandbox: Sandbox): void;
  deleteSandbox(id: string): void;
  putEndpoint(endpoint: Endpoint): void;
  deleteEndpoint(id: string): void;
  /** Holds `address`; whether it is free is the caller's business. `dynamic` moves `last`. */
  holdAddress(networkId: string, address: string, holder: LeaseHolder, how: 'dynamic' | 'static'): void;
  /** Lets go of `address` at once. */
  releaseAddress(networkId: string, address: string): void;
  /** Drops all leases, cursors and marks of a network. */
  forgetNetwork(networkId: string): void;
  /** Unless another claim collides: that one is answered, and nothing is written. */
  claimPort(claim: PortClaim): PortClaim | undefined;
  releasePort(claim: PortClaim): void;
  setLastEphemeralPort(protocol: Protocol, port: number): void;
  setRealized(networkId: string, realized: boolean): void;
  recordSysctl(changed: ChangedSysctl): void;
}

/** A transaction that may also write the durable part. */
export interface NetworkChange extends LedgerChange {
  putNetwork(network: Network): void;
  deleteNetwork(id: string): void;
  putDockerPool(pool: DockerPool): void;
  deleteDockerPool(id: string): void;
}

export interface Ledger {
  read<T>(look: (view: LedgerView) => T): T;
  /** All or nothing; a throw aborts. Serialised over all processes, so keep it short and do no I/O in it. */
  change<T>(make: (change: LedgerChange) => T): T;
  /** The same for changes of networks; durable when it returns. */
  changeNetworks<T>(make: (change: NetworkChange) => T): T;
  /** Runs a change and throws its writes away: what `--dry-run` does. */
  rehearse<T>(make: (change: NetworkChange) => T): T;
  close(): Promise<void>;
}
