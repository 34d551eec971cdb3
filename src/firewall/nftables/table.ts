/**
 * The table `inet tsnet`: a fixed number of chains and rules, whatever the number of networks, containers and ports. What is
 * particular to one of them is an element of a set or map (`elements.ts`).
 *
 *   prerouting −300  guard        packets on the wrong interface, before conntrack and DNAT see them
 *                                 → underlay    VXLAN packets for this host: from hosts of the cluster only
 *   output     −300  encapsulated  VXLAN packets of this host: not tracked, so that nobody translates them
 *   prerouting −100  prerouting   → published: DNAT of published ports, from elsewhere
 *   output     −100  output       → published: the same from the host itself
 *   forward       0  forward      → tsnet-user  the administrator's: created once, never flushed or edited
 *                                   replies into our networks
 *                                 → internal    networks without a way in or out; nothing leaves this chain
 *                                 → enter       what may enter a network; the rest is dropped
 *                                   what may leave a network
 *   postrouting 100  postrouting  source addresses
 *
 * An accept ends this table's chain only: a base chain of somebody else at the same hook still judges the packet, and a drop
 * anywhere is final. So isolation, which rests on our drops, holds whatever others accept; and what others drop stays dropped.
 *
 * Sets with intervals are concatenations, if need be with the family: to add to a plain one, libnftables reads all of it
 * first. Their most telling part comes first: the kernel goes part by part over the elements that still match, and with the
 * protocol in front a look-up at 10,000 ranges took ten times as long.
 */
export const TABLE_NAME = 'tsnet';
/** As nft(8) is told. */
export const TABLE = `inet ${TABLE_NAME}` as const;

/** The administrator's chain. */
export const USER_CHAIN = 'tsnet-user';

/** nftables' names of what a part of a key or value is. */
export type PartType = 'nf_proto' | 'ifname' | 'ipv4_addr' | 'ipv6_addr' | 'inet_proto' | 'inet_service' | 'verdict';

export interface SetLayout {
  readonly key: readonly PartType[];
  /** A map has one. */
  readonly value?: readonly PartType[];
  /** Subnets and port ranges are single elements. */
  readonly interval?: true;
}

const BRIDGE = { key: ['nf_proto', 'ifname'] } as const satisfies SetLayout;

const subnets = (address: PartType): SetLayout => ({ key: [address, 'nf_proto'], interval: true });
const subnetAndLink = (address: PartType): SetLayout => ({ key: [address, 'ifname'], interval: true });

function familySets<N extends 4 | 6>(family: N) {
  const address: PartType = family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  const sets = {
    /** Subnets whose addresses are reached by the links of `near` only. */
    closed: subnets(address),
    near: subnetAndLink(address),
    /** Subnets whose packets get the host's address where they leave by another link than their own, `home`. */
    masquerade: subnets(address),
    home: subnetAndLink(address),
    /** The same with a given address. */
    snat: { key: [address, 'nf_proto'], value: [address], interval: true },
    /** Sources that would be answered past the host, with the bridge that they reach a published port by. */
    hairpin: subnetAndLink(address),
    /** Published ports: of every address of the host, of one address. A hash: the next port costs what the first cost. */
    ports: { key: ['inet_proto', 'inet_service'], value: [address, 'inet_service'] },
    ports_at: { key: [address, 'inet_proto', 'inet_service'], value: [address, 'inet_service'] },
    /** Ranges that keep their numbers: one element whatever their length. */
    ranges: { key: ['inet_service', 'inet_proto'], value: [address], interval: true },
    ranges_at: { key: ['inet_service', address, 'inet_proto'], value: [address], interval: true },
    /** Ports open at the container's own address. */
    open: { key: [address, 'inet_proto', 'inet_service'] },
    open_ranges: { key: ['inet_service', address, 'inet_proto'], interval: true },
    /** Hosts that may speak VXLAN to this one, with the port; and this host's own address. */
    vteps: { key: [address, 'inet_service'] },
    own_vteps: { key: [address, 'inet_service'] },
  } as const satisfies Record<string, SetLayout>;
  return Object.fromEntries(Object.entries(sets).map(([name, layout]) => [setName(name, family), layout])) as {
    readonly [K in keyof typeof sets as `${K}${N}`]: SetLayout;
  };
}

/** `ports`, 4 → `ports4`. */
function setName<K extends string, N extends 4 | 6>(name: K, family: N): `${K}${N}` {
  return `${name}${family}`;
}

/** Our sets and maps. */
export const SETS = {
  /** Our bridges. */
  bridges: BRIDGE,
  /** Networks with a way out: replies and published ports get in, all else from elsewhere is dropped. */
  isolated: BRIDGE,
  /** Those of them whose containers are not reached by their own addresses. */
  guarded: BRIDGE,
  /** Networks without a way in or out. */
  internal: BRIDGE,
  /** Containers answer ICMP echo from outside (gateway mode routed). */
  pingable: BRIDGE,
  /** Every port of a container's own address is open (gateway mode nat-unprotected). */
  unprotected: BRIDGE,
  /** Networks that may send to anywhere. */
  leave: BRIDGE,
  /** Traffic within a network, as (family, bridge, bridge): accepted, or dropped (icc=false). */
  icc: { key: ['nf_proto', 'ifname', 'ifname'], value: ['verdict'] },
  /** UDP ports of VXLAN on this host: closed but to `vteps`. */
  vxlan_ports: { key: ['nf_proto', 'inet_service'] },
  ...familySets(4),
  ...familySets(6),
} as const satisfies Record<string, SetLayout>;

export type SetName = keyof typeof SETS;

export interface ChainLayout {
  /** A base chain has a hook: `type nat hook prerouting priority -100`. */
  readonly hook?: { readonly type: 'filter' | 'nat'; readonly hook: string; readonly priority: number };
  /** Rules by their comment; the comment says what the rule is for, and by it the rule is known again. */
  readonly rules: Readonly<Record<string, string>>;
}

const FROM = 'meta nfproto . iifname';
const TO = 'meta nfproto . oifname';
const WITHIN = 'meta nfproto . iifname . oifname vmap @icc';

/** Our chains but the administrator's, each before those that jump to it. */
export const CHAINS = {
  underlay: {
    rules: {
      // What a container sends to somebody else's port is forwarded, and none of our business.
      'VXLAN of others': 'fib daddr type != local return',
      'VXLAN: hosts of the cluster': 'ip saddr . udp dport @vteps4 notrack accept',
      'VXLAN: hosts of the cluster (IPv6)': 'ip6 saddr . udp dport @vteps6 notrack accept',
      'VXLAN: nobody else': 'drop',
    },
  },
  encapsulated: {
    hook: { type: 'filter', hook: 'output', priority: -300 },
    rules: {
      'VXLAN of this host: not translated': 'ip saddr . udp dport @own_vteps4 notrack',
      'VXLAN of this host: not translated (IPv6)': 'ip6 saddr . udp dport @own_vteps6 notrack',
    },
  },
  guard: {
    hook: { type: 'filter', hook: 'prerouting', priority: -300 },
    rules: {
      'VXLAN: from hosts of the cluster only': 'meta nfproto . udp dport @vxlan_ports jump underlay',
      'loopback of the host: not from containers': `ip daddr 127.0.0.0/8 ${FROM} @bridges drop`,
      // A packet of a container needs no look at the subnets, which costs more: `enter` knows where it may go.
      'from our networks: judged when forwarded': `${FROM} @bridges return`,
      'container addresses: by their own bridge only':
        'ip daddr . meta nfproto @closed4 ip daddr . iifname != @near4 fib daddr type != local drop',
      'container addresses: by their own bridge only (IPv6)':
        'ip6 daddr . meta nfproto @closed6 ip6 daddr . iifname != @near6 fib daddr type != local drop',
    },
  },
  internal: {
    rules: {
      'within an internal network': WITHIN,
      'internal: no way in or out': 'drop',
    },
  },
  enter: {
    rules: {
      // A port of 127.0.0.1 is for programs on this host, whose packets are not forwarded.
      'ports of 127.0.0.1: not from outside': 'ct original ip daddr 127.0.0.0/8 drop',
      // One accept for all published ports instead of one a port. Before icc: with icc=false a published port stays reachable
      // from beside, by the host's address.
      'published ports': 'ct status dnat accept',
      'ping (gateway mode routed)': `${TO} @pingable meta l4proto { 1, 58 } accept`,
      'within a network': WITHIN,
      'from another network: published ports only': `${TO} @guarded ${FROM} @bridges drop`,
      "ports open at the container's address": 'ip daddr . meta l4proto . th dport @open4 accept',
      "ranges open at the container's address": 'th dport . ip daddr . meta l4proto @open_ranges4 accept',
      "ports open at the container's address (IPv6)": 'ip6 daddr . meta l4proto . th dport @open6 accept',
      "ranges open at the container's address (IPv6)": 'th dport . ip6 daddr . meta l4proto @open_ranges6 accept',
      'gateway mode nat-unprotected': `${TO} @unprotected accept`,
      'all else from elsewhere': 'drop',
    },
  },
  forward: {
    hook: { type: 'filter', hook: 'forward', priority: 0 },
    rules: {
      "the administrator's rules": `jump ${USER_CHAIN}`,
      'replies into our networks': `ct state established,related ${TO} @isolated accept`,
      'out of internal networks': `${FROM} @internal goto internal`,
      'into internal networks': `${TO} @internal goto internal`,
      'into our networks': `${TO} @isolated goto enter`,
      'out of our networks': `${FROM} @leave accept`,
    },
  },
  published: {
    rules: {
      'ports of one address': 'dnat ip to ip daddr . meta l4proto . th dport map @ports_at4',
      'ranges of one address': 'dnat ip to th dport . ip daddr . meta l4proto map @ranges_at4',
      'ports of every address': 'dnat ip to meta l4proto . th dport map @ports4',
      'ranges of every address': 'dnat ip to th dport . meta l4proto map @ranges4',
      'ports of one address (IPv6)': 'dnat ip6 to ip6 daddr . meta l4proto . th dport map @ports_at6',
      'ranges of one address (IPv6)': 'dnat ip6 to th dport . ip6 daddr . meta l4proto map @ranges_at6',
      'ports of every address (IPv6)': 'dnat ip6 to meta l4proto . th dport map @ports6',
      'ranges of every address (IPv6)': 'dnat ip6 to th dport . meta l4proto map @ranges6',
    },
  },
  prerouting: {
    hook: { type: 'nat', hook: 'prerouting', priority: -100 },
    rules: {
      // A link-local client cannot be forwarded (RFC 4291, 2.5.6): it meets the host's own sockets.
      'link-local clients stay on the host': 'ip6 saddr fe80::/10 return',
      'published ports, from elsewhere': 'fib daddr type local jump published',
    },
  },
  output: {
    hook: { type: 'nat', hook: 'output', priority: -100 },
    rules: {
      // ::1 cannot leave the host. 127.0.0.1 can: `hairpin4` gives it another source address.
      '::1 stays on the host': 'ip6 daddr ::1 return',
      'published ports, from the host': 'fib daddr type local jump published',
    },
  },
  postrouting: {
    hook: { type: 'nat', hook: 'postrouting', priority: 100 },
    rules: {
      'clients that would be answered past the host': 'ct status dnat ip saddr . oifname @hairpin4 masquerade',
      'clients that would be answered past the host (IPv6)': 'ct status dnat ip6 saddr . oifname @hairpin6 masquerade',
      'not out of our networks': `iif != 0 ${FROM} != @bridges return`,
      "out of our networks: the host's address":
        'ip saddr . meta nfproto @masquerade4 ip saddr . oifname != @home4 masquerade',
      "out of our networks: the host's address (IPv6)":
        'ip6 saddr . meta nfproto @masquerade6 ip6 saddr . oifname != @home6 masquerade',
      'out of our networks: a given address':
        'ip saddr . oifname != @home4 snat ip to ip saddr . meta nfproto map @snat4',
      'out of our networks: a given address (IPv6)':
        'ip6 saddr . oifname != @home6 snat ip6 to ip6 saddr . meta nfproto map @snat6',
    },
  },
} as const satisfies Record<string, ChainLayout>;

export type ChainName = keyof typeof CHAINS;

export const CHAIN_NAMES = Object.keys(CHAINS) as readonly ChainName[];
export const SET_NAMES = Object.keys(SETS) as readonly SetName[];

/** The layout of a chain, without what is particular to its literal type. */
export function chainLayout(name: ChainName): ChainLayout {
  return CHAINS[name];
}

export function setLayout(name: SetName): SetLayout {
  return SETS[name];
}
