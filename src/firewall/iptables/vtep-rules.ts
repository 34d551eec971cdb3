/**
 * Who may speak VXLAN to this host, as iptables rules: one for each host, in a chain that only VXLAN packets for this host enter.
 */
import type { VtepGuardIntent, VtepIntent } from '../../plan/resource.ts';
import type { Rule } from './rule.ts';

const CHAIN = 'TSNET-VTEP';

const host = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;
const vxlan = (port: number): string => `-p udp -m udp --dport ${port}`;

/** Closes the port, but for the `vtepRules` of it. */
export function vtepGuardRules({ family, port, local }: VtepGuardIntent): Rule[] {
  return [
    { family, table: 'raw', chain: CHAIN, position: 'append', rule: `${vxlan(port)} -j DROP` },
    {
      family,
      table: 'raw',
      chain: 'TSNET-PREROUTING',
      position: 'insert',
      // What a container sends to somebody else's port is forwarded, and none of our business.
      rule: `${vxlan(port)} -m addrtype --dst-type LOCAL -j ${CHAIN}`,
    },
    // Ahead of every other source NAT: one that takes all that leaves would give our packets other ports, and, on kernels before
    // 5.7, wrong checksums.
    {
      family,
      table: 'nat',
      chain: 'TSNET-POSTROUTING',
      position: 'insert',
      rule: `-s ${host(local)} ${vxlan(port)} -j ACCEPT`,
    },
  ];
}

export function vtepRules({ family, port, address }: VtepIntent): Rule[] {
  return [
    { family, table: 'raw', chain: CHAIN, position: 'insert', rule: `-s ${host(address)} ${vxlan(port)} -j RETURN` },
  ];
}

/** Whether a rule is of a guard: whoever does not know the hosts of the cluster cannot tell whether it is one too many. */
export function isGuardRule({ chain, rule }: Pick<Rule, 'chain' | 'rule'>): boolean {
  return (
    chain === CHAIN ||
    (chain === 'TSNET-PREROUTING' && rule.endsWith(` -j ${CHAIN}`)) ||
    (chain === 'TSNET-POSTROUTING' && /^-s \S+ -p udp -m udp --dport \d+ -j ACCEPT$/.test(rule))
  );
}
