/**
 * Everything tsnet ever asks of a kernel, as data.
 *
 * A plan is an ordered list of resources. The same plan is ensured by `connect`, removed by `disconnect`, compared by
 * `diff` and printed by `--dry-run`, so a resource says what must be true, never what to do. All fields are JSON-safe.
 *
 * Who makes them true: one executor a kind, in `src/kernel/`.
 */
import type { Family, Protocol } from '../model/records.ts';
import type { PluginEndpointResource, PluginNetworkResource } from './plugin-resource.ts';

/** Where a resource lives: the host's namespace, or the sandbox with this id. */
export type Place = 'host' | { readonly sandbox: string };

/**
 * Of a link whose container side a runtime sets up: it is born down in the host's namespace, and the runtime takes it from there.
 * `done`: it has been taken, so that where it is now is not looked at, and it is not made anew; removed, it goes wherever it is
 * found on the host.
 */
export type HandedOver = 'due' | 'done';

/**
 * What others have made of a link inside a sandbox since (CNI's `tuning` plugin gives it another MAC or MTU): it is compared with this,
 * and what is absent here is not looked at. A link that has to be made anew is made as it was at first.
 */
export interface LinkTuning {
  readonly mac?: string;
  /** Bytes. */
  readonly mtu?: number;
}

/** A Linux bridge in the host's namespace, up. Removed with the plan unless `adopted`. */
export interface BridgeResource {
  readonly kind: 'bridge';
  readonly name: string;
  readonly mtu: number;
  /** Fixed so that it does not change with the ports (the kernel takes the lowest port MAC otherwise); absent when adopted. */
  readonly mac?: string;
  /** Somebody else's bridge: must exist, is used, is never changed or deleted. */
  readonly adopted: boolean;
  /** Snoop IGMP and MLD (absent: as the kernel does). Off, multicast reaches all ports: neighbours are found without a querier. */
  readonly multicastSnooping?: false;
  /** Interface alias (IFLA_IFALIAS) that marks it ours. */
  readonly tag: string;
}

/** A veth pair: `host` in the host's namespace (a bridge port if `master`), `peer` born inside the sandbox; both up. */
export interface VethResource {
  readonly kind: 'veth';
  readonly sandbox: string;
  readonly host: string;
  readonly peer: string;
  readonly master?: string;
  readonly mtu: number;
  /** MAC of the peer. */
  readonly mac: string;
  /** The bridge may send a frame back out of the port it came in by (IFLA_BRPORT_MODE); published ports reach their own container so. */
  readonly hairpin: boolean;
  /**
   * Kept apart from other isolated ports (`icc=false`): by the bridge (IFLA_BRPORT_ISOLATED), or, where bridged frames cross
   * iptables, by the network's `icc` intent.
   */
  readonly isolated: boolean;
  /** Interface alias of the host's end: `tsnet:<endpoint id>`. */
  readonly tag: string;
  /** Of the peer, which is then on the host under its name. */
  readonly handOver?: HandedOver;
  /** Of the peer. */
  readonly tuning?: LinkTuning;
}

/**
 * A macvlan link: a MAC of its own on the segment of `parent`, a link of the host. Born in its place with its final name, and
 * down: brought up by a `link-up` behind its addresses, it announces them to the segment.
 */
export interface MacvlanResource {
  readonly kind: 'macvlan';
  readonly place: Place;
  readonly name: string;
  readonly parent: string;
  /** Who hears whom on one parent: ip-link(8). */
  readonly mode: 'bridge' | 'private' | 'vepa' | 'passthru';
  /** Absent: the parent's (`passthru`). */
  readonly mac?: string;
  /** Absent: the parent's. */
  readonly mtu?: number;
  /** `tsnet:<endpoint id>`; on the host `tsnet:<network id>`. */
  readonly tag: string;
  readonly handOver?: HandedOver;
  readonly tuning?: LinkTuning;
}

/** An ipvlan link: the parent's MAC, addresses of its own; otherwise as macvlan. */
export interface IpvlanResource {
  readonly kind: 'ipvlan';
  readonly place: Place;
  readonly name: string;
  readonly parent: string;
  readonly mode: 'l2' | 'l3' | 'l3s';
  /** `bridge`: links of one parent hear each other; `private`: they do not; `vepa`: by way of the switch. */
  readonly flag: 'bridge' | 'private' | 'vepa';
  readonly mtu?: number;
  readonly tag: string;
  readonly handOver?: HandedOver;
  readonly tuning?: LinkTuning;
}

/** A VLAN sub-interface of the host (802.1Q), born down. Networks that share it name it alike; it goes with the last of them. */
export interface VlanResource {
  readonly kind: 'vlan';
  readonly name: string;
  readonly parent: string;
  /** 1…4094 */
  readonly id: number;
  /** `tsnet:vlan:<name>` */
  readonly tag: string;
}

/** A link of the host that leads nowhere, born down: the parent of a network that has none. */
export interface DummyResource {
  readonly kind: 'dummy';
  readonly name: string;
  readonly tag: string;
}

/**
 * A VXLAN device of the host (RFC 7348), up: the way to the other hosts of a network. It learns nothing (`nolearning`) and asks
 * nobody: its `fdb` entries say where a MAC lives, its neighbours answer ARP and ND in the place of the others (`proxy`), and
 * what neither knows is dropped.
 */
export interface VxlanResource {
  readonly kind: 'vxlan';
  readonly name: string;
  /** VXLAN network identifier, 1…16777215. */
  readonly vni: number;
  /** UDP port of all hosts. */
  readonly port: number;
  /** This host's address in the underlay (its VTEP); its family is that of all of them. */
  readonly local: string;
  /** The bridge that it is a port of; absent: packets are routed into it. */
  readonly master?: string;
  readonly mtu: number;
  readonly mac: string;
  /** `tsnet:<network id>` */
  readonly tag: string;
}

/** Behind which host a MAC lives, for good: an entry in the forwarding table of a VXLAN device of the host. */
export interface FdbResource {
  readonly kind: 'fdb';
  readonly link: string;
  readonly mac: string;
  /** Underlay address of that host. */
  readonly vtep: string;
}

/** A link of the host that packets are led through on their way in, so that they can be made to wait (ifb); born down. */
export interface IfbResource {
  readonly kind: 'ifb';
  readonly name: string;
  /** `tsnet:limit:<endpoint id>` */
  readonly tag: string;
}

/** What leaves a link of the host goes by a token bucket (tc-tbf(8)). */
export interface TokenBucketResource {
  readonly kind: 'token-bucket';
  readonly link: string;
  readonly bytesPerSecond: number;
  /** What may go at once. */
  readonly burstBytes: number;
  /** What may wait; the rest is dropped. */
  readonly limitBytes: number;
}

/** What arrives on a link of the host goes out of `to` first. */
export interface RedirectResource {
  readonly kind: 'redirect';
  readonly link: string;
  readonly to: string;
}

/** Who has an address on a link's segment, for good (NUD_PERMANENT): nobody is asked, nobody is told. */
export interface NeighbourResource {
  readonly kind: 'neighbour';
  readonly place: Place;
  readonly link: string;
  /** "192.168.22.200" */
  readonly address: string;
  readonly mac: string;
}

/** An existing link that must be up (`lo` of a sandbox). Removing it changes nothing. */
export interface LinkUpResource {
  readonly kind: 'link-up';
  readonly place: Place;
  readonly link: string;
}

/** An address on a link; IPv6 without duplicate address detection (IFA_F_NODAD), since IPAM is the one authority. */
export interface AddressResource {
  readonly kind: 'address';
  readonly place: Place;
  readonly link: string;
  /** "172.17.0.2/16" */
  readonly address: string;
}

/** A unicast route, marked with tsnet's route protocol number. */
export interface RouteResource {
  readonly kind: 'route';
  readonly place: Place;
  readonly family: Family;
  /** "0.0.0.0/0" or "::/0" for the default route. */
  readonly destination: string;
  readonly link: string;
  /** Next hop; absent: on link. */
  readonly via?: string;
  /** IPv4: the next hop is on the link, whatever subnets the link has (RTNH_F_ONLINK). */
  readonly onLink?: true;
  /** Routing table; absent: main. */
  readonly table?: number;
  /** Absent: 0, or the kernel's own for IPv6. */
  readonly metric?: number;
  /** Address that packets of the host leave with (RTA_PREFSRC); absent: as the kernel finds. */
  readonly source?: string;
}

/** A policy rule: packets from `from` look into `table`, so that replies leave by the network they came in by. */
export interface RuleResource {
  readonly kind: 'rule';
  readonly place: Place;
  readonly family: Family;
  /** "172.18.0.2/32" */
  readonly from: string;
  readonly table: number;
  readonly priority: number;
}

/** A kernel parameter. Written only when different. Removing it changes nothing: link parameters go with their link, global ones stay. */
export interface SysctlResource {
  readonly kind: 'sysctl';
  readonly place: Place;
  /** Path below /proc/sys: "net/ipv4/conf/tsnet0/route_localnet". */
  readonly key: string;
  readonly value: string;
  /** `require`: never write; it is an error if it differs (daemon.json `ip-forward: false`). `prefer`: skip where the kernel has no such key. */
  readonly mode: 'set' | 'require' | 'prefer';
}

interface FirewallIntent {
  readonly family: Family;
  /** The bridge that the network's packets cross. */
  readonly bridge: string;
}

/**
 * A network's own protection and ways: established flows in, DNATed flows in, everything out, all else from elsewhere
 * dropped; packets for its addresses that arrive on a foreign interface, and packets for 127.0.0.0/8 from the bridge, dropped.
 */
export interface IsolateIntent extends FirewallIntent {
  readonly kind: 'isolate';
  readonly subnet: string;
  /** Interfaces from which container addresses may be reached directly. */
  readonly trustedLinks: readonly string[];
  /** Leave out the direct-access drop (daemon.json `allow-direct-routing`, gateway modes routed and nat-unprotected). */
  readonly allowDirect: boolean;
  /** gateway mode nat-unprotected: what is not published is reachable as well. */
  readonly unprotected: boolean;
  /** gateway mode routed: containers may be pinged from outside. */
  readonly icmp?: boolean;
}

/** No way out of and no way into the network (`--internal`). */
export interface InternalIntent extends FirewallIntent {
  readonly kind: 'internal';
  readonly subnet: string;
}

/** Traffic between containers of the network: accepted, or dropped (which matters where bridged frames cross the firewall). */
export interface IccIntent extends FirewallIntent {
  readonly kind: 'icc';
  readonly allow: boolean;
  readonly internal: boolean;
}

/** Source NAT of what leaves the network: `-s SUBNET ! -o BRIDGE -j MASQUERADE`, or to `to`. */
export interface MasqueradeIntent extends FirewallIntent {
  readonly kind: 'masquerade';
  readonly subnet: string;
  /** SNAT to this address instead (`com.docker.network.host_ipv4`). */
  readonly to?: string;
  /** What goes to the subnet itself keeps its source, though it leaves by a `branch`. */
  readonly keepWithin?: true;
}

/**
 * A link by which the rest of the network is reached (routed overlay): packets pass between it and the bridge as if they had
 * stayed within; from it to anywhere else, and from elsewhere to it, none does.
 */
export interface BranchIntent extends FirewallIntent {
  readonly kind: 'branch';
  readonly subnet: string;
  readonly link: string;
}

/**
 * A UDP port of the host that VXLAN packets come in by: whoever is no `vtep` of it is dropped, before conntrack. What this host
 * sends from `local` to that port is never translated.
 */
export interface VtepGuardIntent {
  readonly kind: 'vtep-guard';
  readonly family: Family;
  readonly port: number;
  /** This host's own underlay address. */
  readonly local: string;
}

/** A host of the cluster that may speak to a guarded port. */
export interface VtepIntent {
  readonly kind: 'vtep';
  readonly family: Family;
  readonly port: number;
  /** Its underlay address. */
  readonly address: string;
}

/** What published ports of a network need once: masquerading of DNATed flows from 127.0.0.0/8 and from the network itself. */
export interface HairpinIntent extends FirewallIntent {
  readonly kind: 'hairpin';
  readonly subnet: string;
}

/** Published ports, one object a range: host port `hostPort + i` goes to `to`:`containerPort + i`, 0 ≤ i < `count`. */
export interface PublishIntent extends FirewallIntent {
  readonly kind: 'publish';
  readonly protocol: Protocol;
  /** "0.0.0.0" or "::": every local address. */
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly count: number;
  /** The container's address. */
  readonly to: string;
  /** `routed`: no NAT; the container's own port is open from outside. */
  readonly mode: 'nat' | 'routed';
  /** `nat`, and the container's own port is open as well to those whom `isolate` lets come near (trustedLinks, allowDirect). */
  readonly direct?: boolean;
}

export type LinkResource =
  | BridgeResource
  | VethResource
  | MacvlanResource
  | IpvlanResource
  | VlanResource
  | DummyResource
  | VxlanResource
  | FdbResource
  | IfbResource
  | TokenBucketResource
  | RedirectResource
  | PluginNetworkResource
  | PluginEndpointResource
  | LinkUpResource
  | AddressResource
  | NeighbourResource
  | RouteResource
  | RuleResource
  | SysctlResource;

export type FirewallResource =
  | IsolateIntent
  | InternalIntent
  | IccIntent
  | MasqueradeIntent
  | HairpinIntent
  | BranchIntent
  | PublishIntent
  | VtepGuardIntent
  | VtepIntent;

export type Resource = LinkResource | FirewallResource;

/** What must exist for one network or one endpoint, in the order in which it is made; removal goes in reverse. */
export type Plan = readonly Resource[];

/** The firewall kinds, as a value: the run of them in a plan is one firewall transaction. */
export const FIREWALL_KINDS: Readonly<Record<FirewallResource['kind'], true>> = {
  isolate: true,
  internal: true,
  icc: true,
  masquerade: true,
  hairpin: true,
  branch: true,
  publish: true,
  'vtep-guard': true,
  vtep: true,
};

export function isFirewall(resource: Resource): resource is FirewallResource {
  return resource.kind in FIREWALL_KINDS;
}

/** Prefix of every interface alias that tsnet sets. */
export const TAG_PREFIX = 'tsnet:';

/** The number in the `proto` field of our routes (`ip route show proto 157`); no routing daemon of Debian's uses it. */
export const ROUTE_PROTOCOL = 157;
