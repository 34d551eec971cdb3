/**
 * What the engine asks of the kernel layer (implemented in `src/kernel/`).
 *
 * All calls are idempotent. What exists and is right is left alone; what is gone counts as removed.
 */
import type { DhcpSegment } from '../dhcp/segment.ts';
import type { Family, Netns, ProcessIdentity, Protocol } from '../model/records.ts';
import type { InternalIntent, IsolateIntent, Plan, Resource } from './resource.ts';

/** The namespaces of the sandboxes that a plan speaks of, by sandbox id. */
export type Namespaces = ReadonlyMap<string, Netns>;

/** How one resource was found. `wrong` says what differs, in words for the administrator. */
export type Observation =
  | { readonly resource: Resource; readonly state: 'present' | 'missing' }
  | { readonly resource: Resource; readonly state: 'wrong'; readonly detail: string };

/** Something tagged ours that no plan names. */
export type Orphan =
  | { readonly kind: 'link'; readonly name: string; readonly tag: string }
  /** An entry of a VXLAN device: where a MAC lives. */
  | { readonly kind: 'fdb'; readonly link: string; readonly mac: string; readonly vtep: string }
  /** A permanent neighbour on a VXLAN device. */
  | { readonly kind: 'neighbour'; readonly link: string; readonly address: string; readonly mac: string }
  /** A route of ours into a VXLAN device. */
  | {
      readonly kind: 'route';
      readonly link: string;
      readonly family: Family;
      readonly destination: string;
      readonly via?: string;
    }
  | {
      readonly kind: 'rule';
      readonly family: Family;
      readonly table: string;
      readonly chain: string;
      readonly rule: string;
    };

export interface HostLink {
  readonly name: string;
  /** IFLA_INFO_KIND: "bridge", "veth" …; absent for hardware. */
  readonly kind?: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly alias?: string;
  /** What it is if it is not Ethernet. */
  readonly medium?: 'loopback' | 'other';
  /** Name of the bridge or bond that it is a port of. */
  readonly master?: string;
  /** "192.168.1.5/24" … */
  readonly addresses: readonly string[];
}

export interface HostRoute {
  /** "10.0.0.0/8"; the default routes are left out. */
  readonly destination: string;
  readonly link: string;
}

/** What a driver may look at when a network is created. */
export interface Facts {
  readonly links: readonly HostLink[];
  /** Unicast routes of all tables of the host but `local`, default routes left out. */
  readonly routes: readonly HostRoute[];
}

/** A socket of some program that listens on (tcp), or is bound without a peer to (udp, sctp), a local port. */
export interface Listener {
  readonly protocol: Protocol;
  /** "0.0.0.0", "::" or one address. An IPv6 wildcard that also takes IPv4 is reported once for each family. */
  readonly address: string;
  readonly port: number;
  readonly inode: number;
}

/** A port of the host, on whatever address. */
export interface SoughtPort {
  readonly protocol: Protocol;
  readonly port: number;
}

/** Which conntrack entries to delete. Every given field must match. */
export interface FlowFilter {
  readonly family: Family;
  readonly protocol?: Protocol;
  /** Original destination port range, inclusive. */
  readonly hostPorts?: readonly [number, number];
  /** The container's address: original source, or the source that replies come from. */
  readonly address?: string;
}

/** What a sandbox's namespace has before we add to it. */
export interface SandboxFacts {
  readonly links: readonly string[];
  /** Families that have a default route which is not ours. */
  readonly foreignDefaultRoutes: readonly Family[];
}

/**
 * Keeps changes and repairs apart, over all processes: changes go side by side, a repair waits for them and they for it.
 * The kernel releases it when a process dies.
 */
export interface ChangeLock {
  shared<T>(work: () => Promise<T>): Promise<T>;
  exclusive<T>(work: () => Promise<T>): Promise<T>;
}

/** Who holds the firewall rules. */
export type FirewallBackend = 'iptables' | 'nftables' | 'none';

/** What of the firewall is not where daemon.json wants it. */
export interface FirewallMisplacement {
  readonly inForce: FirewallBackend;
  readonly wanted: FirewallBackend;
  /** A backend that is not in force and still has rules of ours. */
  readonly leftover?: FirewallBackend;
}

/** Somebody else's firewall chain that drops what a network has forwarded. */
export interface ForeignDrop {
  readonly family: Family;
  readonly bridge: string;
  /** "table ip filter, chain FORWARD" */
  readonly chain: string;
  /** "policy drop", "ends with drop", "ends with reject" */
  readonly why: string;
  /** The command that lets the network pass. Our own rules still keep it apart. */
  readonly remedy: string;
}

/** Who answers for an address. */
export interface AddressHolder {
  readonly mac: string;
  /** Link of this host, where it is the host itself. */
  readonly link?: string;
}

/** `recent`: what was seen within the last second will do. */
export type LookAge = 'fresh' | 'recent';

export interface Kernel {
  /** Makes the plan true, in order. Throws at the first failure and leaves what was made: undoing is the caller's `remove`. */
  ensure(plan: Plan, namespaces: Namespaces): Promise<void>;
  /** Removes the plan in reverse. Goes on after a failure and throws one AggregateError at the end. */
  remove(plan: Plan, namespaces: Namespaces): Promise<void>;
  /** One observation a resource, in the plan's order. */
  observe(plan: Plan, namespaces: Namespaces): Promise<Observation[]>;
  /**
   * Everything tagged ours that `plans` do not name. Entries of VXLAN devices count only on the links of `closed`: those whose remote
   * ends `plans` names all.
   */
  orphans(plans: Plan, closed?: ReadonlySet<string>): Promise<Orphan[]>;
  /** Removes orphans. */
  sweep(orphans: readonly Orphan[]): Promise<void>;
  /** Removes our chains altogether, once nothing of ours uses them; the administrator's chain goes only if it is empty. */
  dismantleFirewall(): Promise<void>;
  /** The firewall backend that holds the rules. */
  firewallBackend(): FirewallBackend;
  /** Undefined where the rules are in the backend that daemon.json asks for, and nowhere else. */
  firewallMisplacement(): Promise<FirewallMisplacement | undefined>;
  /** Carries the firewall rules of `plan`, all there are, to the backend that daemon.json asks for, and removes the other's. */
  moveFirewall(plan: Plan): Promise<void>;

  /** Chains of other people that drop packets of these networks. "Cannot tell" is left out; never rejects. */
  foreignDrops(
    networks: readonly Pick<IsolateIntent, 'family' | 'bridge' | 'subnet'>[],
    age: LookAge,
  ): Promise<ForeignDrop[]>;

  facts(): Promise<Facts>;
  /** Kind of link → whether this kernel can make one. */
  supportedLinkKinds(kinds: readonly string[]): Promise<ReadonlyMap<string, boolean>>;
  sandboxFacts(netns: Netns): Promise<SandboxFacts>;
  /** Whatever `work` asks about or does in this namespace is done through one file and one socket, opened when first needed. */
  visit<T>(netns: Netns, work: () => Promise<T>): Promise<T>;
  /** Those of our tagged host links that exist: tag → link name. A veth whose host end is there proves that its namespace lives. */
  taggedLinks(): Promise<Map<string, string>>;
  /** Of these protocols; where `ports` are given, those that hold none of them may be left out. */
  listeners(protocols: readonly Protocol[], ports?: readonly SoughtPort[]): Promise<Listener[]>;
  /** "nginx (pid 812)" for a socket inode, if it can be found. */
  socketHolder(inode: number): string | undefined;
  /** First and last port of net.ipv4.ip_local_port_range of the host. */
  ephemeralPorts(): readonly [number, number];
  forgetFlows(filters: readonly FlowFilter[]): Promise<void>;
  /** Forgets flows that these intents forbid and that began while their rules were away: known flows pass. */
  forgetTrespassers(intents: readonly (IsolateIntent | InternalIntent)[]): Promise<void>;
  /**
   * Those of `addresses` that somebody has already, on the segment of a link of the host or on the host itself. Takes some 300 ms
   * when nobody has one; a link that carries nothing has nobody on it.
   */
  addressHolders(link: string, addresses: readonly string[]): Promise<ReadonlyMap<string, AddressHolder>>;
  /** The segment of a link of the host, for a DHCP client with this MAC. */
  openDhcpSegment(link: string, mac: string): Promise<DhcpSegment>;

  /** Makes a namespace and binds it to `path`. */
  createNetns(path: string): Netns;
  /** Unbinds `path` and removes the file; missing is fine. */
  removeNetns(path: string): void;
  /** The namespace at a path now; undefined when the path is not there or is not a namespace. */
  netnsAt(path: string): Netns | undefined;
  /** Whether it is the namespace of the host itself. */
  isHost(netns: Netns): boolean;
  /** Whether some process still lives in the namespace (its /proc/PID/ns/net). */
  netnsInUse(netns: Pick<Netns, 'device' | 'inode' | 'cookie'>): boolean;
  processIdentity(pid: number): ProcessIdentity | undefined;
  /** Inode of a process's mount namespace; undefined when it has ended. */
  mountNamespace(pid: number): number | undefined;
  isAlive(process: ProcessIdentity): boolean;
  /** Ends all sockets. */
  close(): Promise<void>;
}
