/** Links that tsnet makes: bridges, veth pairs, macvlan … */
import type { Place } from './place.ts';

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

/** A link of the host that packets are led through on their way in, so that they can be made to wait (ifb); born down. */
export interface IfbResource {
  readonly kind: 'ifb';
  readonly name: string;
  /** `tsnet:limit:<endpoint id>` */
  readonly tag: string;
}

export type OwnLink =
  | BridgeResource
  | VethResource
  | MacvlanResource
  | IpvlanResource
  | VlanResource
  | DummyResource
  | VxlanResource
  | IfbResource;
