/**
 * The records that the ledger holds: plain, readonly, JSON-safe.
 *
 * Addresses are canonical text ("172.17.0.2", "fd00::2"), prefixes are "address/length". Arithmetic on them lives in
 * `address.ts`.
 */

/** JSON object, as driver settings and options of other people are kept. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

export type Family = 4 | 6;

/** A process, told apart from a later one of the same pid by its start time (field 22 of /proc/PID/stat, clock ticks since boot). */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: number;
}

/** A subnet of a network. */
export interface Pool {
  /** "172.17.0.0/16": no host bits set. */
  readonly subnet: string;
  /** The address of the bridge, and the next hop of the containers unless `route` names another. */
  readonly gateway?: string;
  /** Dynamic addresses come from this prefix only; it lies inside `subnet`. */
  readonly range?: string;
  /** Next hop handed to containers when it is not `gateway` (daemon.json `default-gateway`, aux address `DefaultGatewayIPv4`). */
  readonly route?: string;
  /** Addresses that other devices hold: never leased. */
  readonly aux: Readonly<Record<string, string>>;
}

export interface Network {
  readonly version: 1;
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly scope: 'local' | 'global';
  /** RFC 3339, UTC, nanoseconds as Docker prints them. */
  readonly createdAt: string;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  readonly ipamDriver: string;
  readonly ipamOptions: Readonly<Record<string, string>>;
  /** Subnet → the id that it has in the Docker IPAM plugin which gave it. Absent: the addresses are ours to give. */
  readonly poolIds?: Readonly<Record<string, string>>;
  readonly pools: readonly Pool[];
  /** Driver options as they were given. */
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** What the driver made of `options` and of the host it saw at creation: from here on a plan needs nothing else. */
  readonly settings: JsonObject;
  /** What whoever uses it should know, as the driver said at its creation. */
  readonly caveat?: string;
  /** Docker has it through our plugin, and removes it; of a cluster: this host's Docker. */
  readonly docker?: DockerOwner;
  /** Of a cluster: Docker made it, so that it goes with the last host whose Docker has it. */
  readonly goesWithDocker?: true;
  /** bridge, host and none: there without being created, and never removed. */
  readonly predefined: boolean;
  /** Of the default network: fingerprint of the daemon.json keys that it was made from. */
  readonly configuredBy?: string;
  readonly state: 'creating' | 'active' | 'removing';
  /** Who is creating or removing it; present in those states only. */
  readonly owner?: ProcessIdentity;
}

/** Of what Docker made through our plugin. */
export interface DockerOwner {
  /** The ID of the Docker engine that has shown it to us as its own; absent: none has so far. */
  readonly engine?: string;
  /** What Docker knows a network by, where that is not our id: a network of a cluster, which every host's Docker calls otherwise. */
  readonly networkId?: string;
}

/** The IPAM driver of a network whose addresses Docker's own IPAM gives. */
export const DOCKER_IPAM = 'docker';

/** A subnet that Docker's IPAM holds with us (`--ipam-driver tsnet`), from before its network is made until after it is removed. */
export interface DockerPool {
  readonly version: 1;
  /** What Docker knows it by. */
  readonly id: string;
  readonly subnet: string;
  readonly range?: string;
  /** Gateways and aux addresses: what was held before there was a network, for good. */
  readonly held: readonly string[];
  readonly docker: DockerOwner;
  readonly createdAt: string;
}

/** How a sandbox's namespace was named to us; decides how its life and death are seen. */
export type SandboxOrigin =
  /** Made by `tsnet run`: the namespace is bound under exec-root and dies with its process. */
  | { readonly kind: 'own' }
  /** A path, or `netns:NAME` (= /run/netns/NAME). */
  | { readonly kind: 'netns'; readonly path: string }
  | { readonly kind: 'pid'; readonly pid: number }
  /** A container of a runtime on this host, found there or brought by its plugin (`cni`, `oci`); `id` is the runtime's. */
  | { readonly kind: 'docker' | 'podman' | 'containerd' | 'cni' | 'oci'; readonly id: string }
  /**
   * A container that Docker attached through our plugin; `id` is the last part of the key of Docker's sandbox, or of its endpoint
   * before that is known. Docker makes the namespace and sets up what is inside.
   */
  | { readonly kind: 'docker-plugin'; readonly id: string };

/** The runtimes whose containers we know by an id of theirs. */
export type RuntimeKind = Extract<SandboxOrigin, { readonly id: string }>['kind'];

/**
 * A network namespace, told apart from a later one at the same path by device and inode, and, since the kernel reuses
 * inodes, by its cookie (SO_NETNS_COOKIE, Linux 5.14; unique until reboot; decimal text). Inode 0: nobody has seen it yet.
 */
export interface Netns {
  readonly path: string;
  readonly device: number;
  readonly inode: number;
  readonly cookie?: string;
}

/** `run --network host` and `--network container:…`. */
export type SharedNetwork =
  | { readonly kind: 'host' }
  /** Another sandbox, which keeps its namespace until the last that shares it is gone. */
  | { readonly kind: 'sandbox'; readonly sandboxId: string }
  /** A namespace that no sandbox of the ledger has; as it was typed. */
  | { readonly kind: 'foreign'; readonly reference: string };

/** What replaces the host's values in a sandbox's resolv.conf, each on its own, when it is not empty. */
export interface ResolverOverrides {
  readonly dns: readonly string[];
  /** "." alone: no search list at all. */
  readonly dnsSearch: readonly string[];
  readonly dnsOpts: readonly string[];
}

export interface Sandbox {
  readonly version: 1;
  /** 64 hex digits. */
  readonly id: string;
  /** Unique on this host. */
  readonly name: string;
  readonly origin: SandboxOrigin;
  readonly netns: Netns;
  /** Whose namespace `netns` is, for a sandbox of our own that has none to itself. */
  readonly shares?: SharedNetwork;
  /** The first process (own, pid, docker …), where there is one. */
  readonly process?: ProcessIdentity;
  /** Inode of its mount namespace, by which processes of sandboxes that share a network namespace are told apart. */
  readonly mountNamespace?: number;
  /** Families whose default route was there before us: it stays, and our networks are reached by policy routing. */
  readonly foreignDefaultRoutes: readonly Family[];
  /** How a sandbox of our own resolves names: what `run` was told, else daemon.json. Absent: nothing but the host's resolv.conf. */
  readonly resolver?: ResolverOverrides;
  /** The command of a sandbox of our own, as typed. */
  readonly command?: readonly string[];
  readonly createdAt: string;
  readonly state: 'creating' | 'running' | 'removing';
  /** Who is creating or removing it; present in those states only. */
  readonly owner?: ProcessIdentity;
}

export type Protocol = 'tcp' | 'udp' | 'sctp';

/** Published ports: a range is one object. Host port `hostPort + i` reaches container port `containerPort + i`, 0 ≤ i < `count`. */
export interface PublishedPort {
  readonly protocol: Protocol;
  /** "0.0.0.0", "::" (every local address of that family) or one host address. Its family is the mapping's. */
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly count: number;
}

/** One address of an endpoint. */
export interface EndpointAddress {
  /** "172.17.0.2/16": the length is the subnet's. */
  readonly address: string;
  /** Next hop for what leaves the subnet; absent on internal networks. */
  readonly gateway?: string;
  /** What leaves the subnet goes out of the interface without a next hop. */
  readonly onLink?: true;
}

/** What a DHCP server gave an address under (`--ipam-driver dhcp`); times are Unix time in milliseconds. */
export interface DhcpLease {
  /** Option 61, hex digits. */
  readonly clientId: string;
  /** Option 54: who is asked to renew it. */
  readonly server: string;
  /** Next hop to the server: its own MAC, or that of the relay which brought its answer. */
  readonly serverMac: string;
  readonly obtainedAtMs: number;
  /** T1: from here on the server is asked to renew it. */
  readonly renewAtMs: number;
  /** T2: from here on any server is. */
  readonly rebindAtMs: number;
  /** From here on the address may be somebody else's. */
  readonly expiresAtMs: number;
  /** The address was asked for by name (`--ip`): another one will not do. */
  readonly isFixed?: true;
  /** Options 6 and 15. */
  readonly dns?: readonly string[];
  readonly domain?: string;
}

/**
 * Of an endpoint whose container side a runtime sets up itself: it takes a link from the host, moves it into the container,
 * names it, and gives it addresses and routes.
 */
export interface HandOver {
  /** What the link is called on the host, before the runtime takes it and after it brings it back. */
  readonly link: string;
  /** `reserved`: there is no link yet. `offered`: it is being made. `taken`: it is the runtime's, wherever that has it. */
  readonly stage: 'reserved' | 'offered' | 'taken';
}

/** A token bucket: so much in the long run, so much at once. */
export interface RateLimit {
  readonly bitsPerSecond: number;
  readonly burstBits: number;
}

/** Limits of an endpoint, seen from the container: `ingress` is what it receives. */
export interface Bandwidth {
  readonly ingress?: RateLimit;
  readonly egress?: RateLimit;
}

/** A route inside a sandbox that a network brings besides its subnet. */
export interface StaticRoute {
  /** "10.0.0.0/8" */
  readonly destination: string;
  /** Next hop. */
  readonly gateway: string;
  /** The lowest wins; absent: the kernel's. */
  readonly metric?: number;
}

export interface Endpoint {
  readonly version: 1;
  /** 64 hex digits. */
  readonly id: string;
  readonly networkId: string;
  readonly sandboxId: string;
  /** Name inside the sandbox: eth0, eth1 … */
  readonly interfaceName: string;
  /** Name of the host's end, where the driver makes one. */
  readonly hostLink: string;
  readonly mac: string;
  /** At most one a family, IPv4 first. */
  readonly addresses: readonly EndpointAddress[];
  /** Under which lease it has its IPv4 address, where a DHCP server gave it. */
  readonly dhcp?: DhcpLease;
  readonly aliases: readonly string[];
  /** The highest gives the default route; equal ones: the lowest `ordinal`. */
  readonly gatewayPriority: number;
  /** What leaves the network's subnets does not go by this network, whatever gateway it has. */
  readonly noDefaultRoute?: true;
  /** Absent: none. */
  readonly routes?: readonly StaticRoute[];
  /** 0 for the sandbox's first network, then counting up. */
  readonly ordinal: number;
  readonly ports: readonly PublishedPort[];
  /** Ports being published or withdrawn right now; part of `ports` while they are. */
  readonly changingPorts?: readonly PublishedPort[];
  readonly driverOptions: Readonly<Record<string, string>>;
  /** Absent: what is inside the sandbox is ours to make. */
  readonly handOver?: HandOver;
  /** Its runtime binds the published host ports itself, as Podman does: those sockets are in nobody's way, and nobody else holds the ports. */
  readonly runtimeHoldsPorts?: true;
  /** Absent: as fast as it goes. */
  readonly bandwidth?: Bandwidth;
  readonly createdAt: string;
  readonly state: 'attaching' | 'attached' | 'detaching' | 'publishing' | 'unpublishing';
  /** Who is making the change; present in all states but `attached`. */
  readonly owner?: ProcessIdentity;
}

/** Who holds an address of a network. */
export type LeaseHolder =
  | { readonly kind: 'endpoint'; readonly endpointId: string }
  /** Given to Docker's IPAM, which makes an endpoint of it later, or has one elsewhere. */
  | { readonly kind: 'docker' }
  /** Given back; `untilMs` (Unix time, milliseconds) says when it is as good as any other. */
  | { readonly kind: 'quarantine'; readonly untilMs: number }
  /** Somebody on the LAN had it when we asked; it is asked for again after `untilMs`. */
  | { readonly kind: 'foreign'; readonly mac: string; readonly untilMs: number };

export interface Lease {
  readonly networkId: string;
  readonly address: string;
  readonly holder: LeaseHolder;
}
