/**
 * The chains that every network shares, and the jumps that lead into them. Names are the same in iptables and ip6tables.
 *
 *   raw     PREROUTING  → TSNET-PREROUTING   packets on the wrong interface, before conntrack and DNAT see them
 *                         → TSNET-VTEP       VXLAN packets for this host: from hosts of the cluster only
 *   nat     PREROUTING  → TSNET              published ports, from elsewhere; only packets for an address of this host
 *           OUTPUT      → TSNET              published ports, from the host itself
 *           POSTROUTING → TSNET-POSTROUTING  source addresses
 *   filter  FORWARD     → TSNET-USER         the administrator's: created once, never flushed or edited
 *                       → TSNET-FORWARD      → TSNET-CT        replies
 *                                            → TSNET-INTERNAL  networks without a way in or out
 *                                            → TSNET-BRIDGE    → TSNET: what may enter a network; the rest is dropped
 *                                            then, a network: what may leave it, and what its containers may say to each other
 *
 * What may enter comes before what may leave: a packet from one network to another is first judged by the network that it
 * wants to enter. Security rests on these drops alone, not on the policy of FORWARD, which is left as it is.
 */
import type { Family } from '../../model/records.ts';
import type { Table } from './rule.ts';

/** The administrator's chain. */
export const USER_CHAIN = 'TSNET-USER';

/** Our chains, by table. */
export const CHAINS: Readonly<Record<Table, readonly string[]>> = {
  raw: ['TSNET-PREROUTING', 'TSNET-VTEP'],
  filter: [USER_CHAIN, 'TSNET-FORWARD', 'TSNET-CT', 'TSNET-INTERNAL', 'TSNET-BRIDGE', 'TSNET'],
  nat: ['TSNET', 'TSNET-POSTROUTING'],
};

/** Jumps of one chain that belong together. */
export interface Jumps {
  readonly table: Table;
  readonly chain: string;
  readonly rules: readonly string[];
  /**
   * `first`: the first rules of the chain, in this order; an accept of somebody else in front of them would open a network.
   * `top`, `bottom`: put there once; where they are afterwards does not matter.
   */
  readonly place: 'first' | 'top' | 'bottom';
}

/** The jumps of one family. */
export function baseJumps(family: Family): Jumps[] {
  const local = '-m addrtype --dst-type LOCAL -j TSNET';
  // A link-local client cannot be forwarded (RFC 4291, 2.5.6), and ::1 cannot leave the host: both meet the host's own
  // sockets. 127.0.0.1 can leave: `hairpin` gives it another source address.
  const [fromElsewhere, fromHost] =
    family === 4 ? [local, local] : [`! -s fe80::/10 ${local}`, `! -d ::1/128 ${local}`];
  return [
    { table: 'raw', chain: 'PREROUTING', rules: ['-j TSNET-PREROUTING'], place: 'top' },
    { table: 'filter', chain: 'FORWARD', rules: [`-j ${USER_CHAIN}`, '-j TSNET-FORWARD'], place: 'first' },
    {
      table: 'filter',
      chain: 'TSNET-FORWARD',
      rules: ['-j TSNET-CT', '-j TSNET-INTERNAL', '-j TSNET-BRIDGE'],
      place: 'first',
    },
    { table: 'nat', chain: 'PREROUTING', rules: [fromElsewhere], place: 'bottom' },
    { table: 'nat', chain: 'OUTPUT', rules: [fromHost], place: 'bottom' },
    { table: 'nat', chain: 'POSTROUTING', rules: ['-j TSNET-POSTROUTING'], place: 'top' },
  ];
}

/** The chain that a rule jumps or goes to, if it does. */
export function targetOf(rule: string): string | undefined {
  return / ?-[jg] (\S+)/.exec(rule)?.[1];
}
