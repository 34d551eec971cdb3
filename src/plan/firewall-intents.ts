/**
 * What the firewall must do for a network or an endpoint, whatever the backend: intents, not rules.
 */
import type { Family, Protocol } from '../model/records.ts';

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

export type FirewallResource =
  | IsolateIntent
  | InternalIntent
  | IccIntent
  | MasqueradeIntent
  | HairpinIntent
  | PublishIntent
  | BranchIntent
  | VtepGuardIntent
  | VtepIntent;

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
