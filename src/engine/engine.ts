/**
 * The use cases of tsnet as one interface: what the command line, the daemon and the runtime plugins call.
 *
 * Requests and answers are JSON-safe, so that the daemon can carry them over its socket and a thin client is the same
 * interface again. References are what a person types: a name, an id, a unique prefix of an id.
 */
import type {
  Bandwidth,
  Endpoint,
  Lease,
  Network,
  PublishedPort,
  ResolverOverrides,
  Sandbox,
  StaticRoute,
} from '../model/records.ts';
import type { Plan } from '../plan/resource.ts';
import type { ClusterHost, RemovedHost, RemoveHostRequest } from './cluster.ts';
import type { DockerNetwork } from './docker-network.ts';
import type { Info } from './host-info.ts';

/** `--dry-run`: nothing is written, the plan is the answer. */
export interface Rehearsable {
  readonly dryRun?: boolean;
}

export interface IpamRequest {
  readonly subnet?: string;
  readonly gateway?: string;
  readonly range?: string;
  readonly aux?: Readonly<Record<string, string>>;
}

export interface CreateNetworkRequest extends Rehearsable {
  readonly name: string;
  readonly driver?: string;
  readonly ipam?: readonly IpamRequest[];
  readonly ipamDriver?: string;
  readonly ipamOptions?: Readonly<Record<string, string>>;
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly enableIPv4?: boolean;
  readonly enableIPv6?: boolean;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface CreateNetworkAnswer {
  readonly id: string;
  readonly warnings: readonly string[];
  readonly plan: Plan;
}

export interface AttachOptions {
  readonly ip?: string;
  readonly ip6?: string;
  readonly mac?: string;
  readonly interfaceName?: string;
  readonly aliases?: readonly string[];
  /** As typed: "8080:80", "127.0.0.1:53:53/udp", "80". */
  readonly ports?: readonly string[];
  readonly gatewayPriority?: number;
  /** What leaves the network's subnets does not go by this network. */
  readonly noDefaultRoute?: boolean;
  readonly routes?: readonly StaticRoute[];
  readonly driverOptions?: Readonly<Record<string, string>>;
  /** The container's runtime binds the published host ports itself: a program that has them may be the runtime, which knows best. */
  readonly runtimeHoldsPorts?: boolean;
  readonly bandwidth?: Bandwidth;
}

export interface ConnectRequest extends AttachOptions, Rehearsable {
  readonly network: string;
  /** CONTAINER of the command line: name or id of a sandbox, path, `netns:NAME`, `pid:N`, `docker:NAME`, `podman:NAME`, `containerd:ID`. */
  readonly container: string;
}

export interface ConnectAnswer {
  readonly endpoint: Endpoint;
  readonly sandbox: Sandbox;
  readonly warnings: readonly string[];
  readonly plan: Plan;
}

export interface DisconnectRequest extends Rehearsable {
  readonly network: string;
  readonly container: string;
  /** Go on where the kernel refuses, and forget the endpoint all the same. */
  readonly force?: boolean;
}

export interface PublishRequest extends Rehearsable {
  readonly network: string;
  readonly container: string;
  readonly ports: readonly string[];
}

export interface UpdateNetworkRequest extends Rehearsable {
  readonly network: string;
  /** Set, whether they are there or not. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly removeLabels?: readonly string[];
  /** Bytes; of the network's links and of those of every container on it. */
  readonly mtu?: number;
}

export interface UpdateEndpointRequest extends Rehearsable {
  readonly network: string;
  readonly container: string;
  /** Added to those that there are. */
  readonly aliases?: readonly string[];
  readonly removeAliases?: readonly string[];
}

export interface ChangeAnswer {
  readonly plan: Plan;
  readonly warnings: readonly string[];
}

/** A change of one endpoint. */
export interface EndpointChangeAnswer extends ChangeAnswer {
  /** As it was, when it is gone now. */
  readonly endpoint: Endpoint;
}

export interface NetworkFilters {
  /** Key → values, as `--filter` gives them: driver, id, name, label, scope, type, dangling. */
  readonly [key: string]: readonly string[];
}

export interface PruneRequest extends Rehearsable {
  /** until, label, label!. */
  readonly filters?: NetworkFilters;
}

export interface CreateSandboxRequest {
  readonly name?: string;
  readonly command: readonly string[];
  /** How it resolves names; absent: as the host does. */
  readonly resolver?: ResolverOverrides;
  /**
   * Networks to attach, in order; ports and addresses go to the first unless given per network. "host" (its namespace), "none" and
   * "container:REFERENCE" (another container's namespace) stand alone, without options.
   */
  readonly attach: readonly (AttachOptions & { readonly network: string })[];
  /**
   * Process id of who starts the command, where that is not this process: until it tells `adoptProcess`, the sandbox lives and dies
   * with it.
   */
  readonly creator?: number;
}

/** A container as the plugin of a runtime names it; `podman` calls by the interface of netavark. */
export interface RuntimeContainer {
  readonly runtime: 'cni' | 'oci' | 'podman';
  /** The runtime's own id of it. */
  readonly id: string;
}

/** All or nothing: whatever can be refused is, before anything is touched. */
export interface AttachContainerRequest {
  readonly container: RuntimeContainer & {
    /** Path of its namespace: /run/netns/X, /proc/PID/ns/net. */
    readonly netns: string;
    /** Made valid, and told apart by the id where it is taken; the id alone unless given. */
    readonly name?: string;
    /** Its first process. */
    readonly pid?: number;
  };
  readonly attach: readonly (AttachOptions & { readonly network: string })[];
}

export interface DetachContainerRequest {
  readonly container: RuntimeContainer;
  /** Of this network alone; one that is not there is left already. */
  readonly network?: string;
  /** With this interface alone. */
  readonly interfaceName?: string;
}

export interface CheckContainerRequest {
  readonly container: RuntimeContainer;
  /** By name or full id: of what it has of other networks only the routes are looked at. */
  readonly network?: string;
  /** What others may have changed of its interface, as it is to be now; what is absent is not looked at. */
  readonly link?: { readonly mac?: string; readonly mtu?: number };
}

export interface SandboxView {
  readonly sandbox: Sandbox;
  readonly endpoints: readonly (Endpoint & { readonly networkName: string })[];
  readonly alive: boolean;
  /** "host" or "container:web", for a sandbox without a network of its own. */
  readonly sharesNetworkOf?: string;
  /** Names of the living sandboxes that share its network: they keep it when its process has ended. */
  readonly sharedBy: readonly string[];
}

export interface PortView extends PublishedPort {
  readonly network: string;
  readonly container: string;
  /** The container's address that they lead to. */
  readonly to: string;
}

/** One line of `diff`. */
export interface Drift {
  /** `blocked`: somebody else's firewall drops its packets. */
  readonly state: 'missing' | 'wrong' | 'orphaned' | 'pending' | 'blocked';
  /** What it belongs to: "network web", "container db on web", "host". */
  readonly owner: string;
  /** What is missing, wrong or too much, with its name: "bridge tsnet0", "route 0.0.0.0/0 via 172.17.0.1 dev eth0". */
  readonly what: string;
  /** How it differs; of what is blocked, the command that lets it pass. */
  readonly detail?: string;
}

export interface RepairAnswer {
  readonly repaired: readonly Drift[];
  /** Drift that could not be mended, and why. */
  readonly failed: readonly { readonly drift: Drift; readonly reason: string }[];
}

export type GcRequest = Rehearsable;

/** What gc lets go of. */
export interface Garbage {
  readonly kind: 'sandbox' | 'endpoint' | 'network' | 'orphan';
  readonly name: string;
  readonly reason: string;
}

export interface Engine {
  createNetwork(request: CreateNetworkRequest): Promise<CreateNetworkAnswer>;
  /** The removed network's name. */
  removeNetwork(request: Rehearsable & { readonly network: string }): Promise<ChangeAnswer & { readonly name: string }>;
  pruneNetworks(
    request: PruneRequest,
  ): Promise<{ readonly removed: readonly string[]; readonly failed: readonly { name: string; reason: string }[] }>;
  listNetworks(filters?: NetworkFilters): Promise<Network[]>;
  /** By name or full id; undefined for one that is not there, or not yet, or not much longer. */
  findNetwork(reference: string): Promise<Network | undefined>;
  /** Docker's JSON of one network. */
  inspectNetwork(reference: string): Promise<DockerNetwork>;

  connect(request: ConnectRequest): Promise<ConnectAnswer>;
  disconnect(request: DisconnectRequest): Promise<EndpointChangeAnswer>;
  updateNetwork(request: UpdateNetworkRequest): Promise<ChangeAnswer>;
  updateEndpoint(request: UpdateEndpointRequest): Promise<EndpointChangeAnswer>;
  publish(request: PublishRequest): Promise<EndpointChangeAnswer & { readonly ports: readonly PublishedPort[] }>;
  unpublish(request: PublishRequest): Promise<EndpointChangeAnswer>;

  /** Makes a sandbox with a namespace of its own, attached; its process is started by the caller and told to `adoptProcess`. */
  createSandbox(request: CreateSandboxRequest): Promise<SandboxView & { readonly warnings: readonly string[] }>;
  /** Attaches a runtime's container, which may be known already, to further networks. */
  attachContainer(request: AttachContainerRequest): Promise<SandboxView & { readonly warnings: readonly string[] }>;
  /** Detaches it, by what is on record: it and its namespace may be gone. What is not there is success. */
  detachContainer(request: DetachContainerRequest): Promise<{ readonly detached: readonly Endpoint[] }>;
  findContainer(container: RuntimeContainer): Promise<SandboxView | undefined>;
  /** How it differs from its record, in its namespace, on the host and in the firewall. */
  checkContainer(request: CheckContainerRequest): Promise<Drift[]>;
  /** Ties a sandbox to the process that runs in it. */
  adoptProcess(sandboxId: string, pid: number): Promise<void>;
  /** Detaches and removes a sandbox of our own. */
  removeSandbox(reference: string): Promise<void>;
  listSandboxes(): Promise<SandboxView[]>;
  inspectSandbox(reference: string): Promise<SandboxView>;
  listPorts(container?: string): Promise<PortView[]>;
  listLeases(network: string): Promise<Lease[]>;

  /** All hosts of the cluster, with what they have; asks the store. */
  listClusterHosts(): Promise<ClusterHost[]>;
  /** Takes away at once what a host that will not come back has in the cluster. */
  removeClusterHost(request: RemoveHostRequest): Promise<RemovedHost>;

  diff(): Promise<Drift[]>;
  repair(request?: Rehearsable): Promise<RepairAnswer>;
  gc(request?: GcRequest): Promise<Garbage[]>;
  info(): Promise<Info>;
  close(): Promise<void>;
}
