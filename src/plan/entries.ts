/** What the kernel keeps about a link, for a plan: addresses, routes, neighbours, queues, parameters. */
import type { Family } from '../model/records.ts';
import type { Place } from './place.ts';

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

/** Who has an address on a link's segment, for good (NUD_PERMANENT): nobody is asked, nobody is told. */
export interface NeighbourResource {
  readonly kind: 'neighbour';
  readonly place: Place;
  readonly link: string;
  /** "192.168.22.200" */
  readonly address: string;
  readonly mac: string;
}

/** Behind which host a MAC lives, for good: an entry in the forwarding table of a VXLAN device of the host. */
export interface FdbResource {
  readonly kind: 'fdb';
  readonly link: string;
  readonly mac: string;
  /** Underlay address of that host. */
  readonly vtep: string;
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

export type LinkEntry =
  | LinkUpResource
  | AddressResource
  | RouteResource
  | RuleResource
  | NeighbourResource
  | FdbResource
  | TokenBucketResource
  | RedirectResource
  | SysctlResource;
