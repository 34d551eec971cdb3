/**
 * The intents of a network as iptables rules. A constant number a network, whatever the number of containers.
 */
import type {
  BranchIntent,
  HairpinIntent,
  IccIntent,
  InternalIntent,
  IsolateIntent,
  MasqueradeIntent,
} from '../../plan/resource.ts';
import type { Rule } from './rule.ts';

/**
 * Packets that arrive where they cannot come from. Dropped in raw, before DNAT: what a client sent to the container's own
 * address and what was sent to a published port look the same afterwards.
 *
 * One rule guards a whole subnet. `! --dst-type LOCAL` keeps the bridge's own address, which lies in it, reachable.
 */
function wrongInterface(intent: IsolateIntent | InternalIntent, direct: 'closed' | 'open'): Rule[] {
  const { family, bridge, subnet } = intent;
  const drop = (rule: string): Rule => ({ family, table: 'raw', chain: 'TSNET-PREROUTING', position: 'append', rule });
  return [
    ...(direct === 'closed' ? [drop(`-d ${subnet} ! -i ${bridge} -m addrtype ! --dst-type LOCAL -j DROP`)] : []),
    // `route_localnet`, which published ports need on the bridge, lets containers speak to the host's 127.0.0.0/8. The
    // kernel itself drops ::1 from outside.
    ...(family === 4 ? [drop(`-d 127.0.0.0/8 -i ${bridge} -j DROP`)] : []),
  ];
}

export function isolateRules(intent: IsolateIntent): Rule[] {
  const { family, bridge, subnet } = intent;
  const filter = { family, table: 'filter' } as const;
  return [
    // RETURN, not ACCEPT: rules that the administrator keeps in raw still see the packet.
    ...intent.trustedLinks.map((link): Rule => ({
      family,
      table: 'raw',
      chain: 'TSNET-PREROUTING',
      position: 'insert',
      rule: `-d ${subnet} -i ${link} -j RETURN`,
    })),
    ...wrongInterface(intent, intent.allowDirect ? 'open' : 'closed'),
    {
      ...filter,
      chain: 'TSNET-CT',
      position: 'append',
      rule: `-o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    },
    { ...filter, chain: 'TSNET-BRIDGE', position: 'append', rule: `-o ${bridge} -j TSNET` },
    // One accept for all published ports instead of one a port: that a flow was DNATed says that a published port was meant.
    // Its own network is not left out: with icc=false a published port stays reachable from beside, by the host's address,
    // since this comes before the drop of icc. (Not where br_netfilter is on and bridge ports are isolated: there the bridge
    // itself turns the DNATed frame round, and its isolation stops it before any rule could accept it.)
    { ...filter, chain: 'TSNET', position: 'insert', rule: `-o ${bridge} -m conntrack --ctstate DNAT -j ACCEPT` },
    ...(intent.icmp === true
      ? [
          {
            ...filter,
            chain: 'TSNET',
            position: 'insert',
            rule: `-o ${bridge} -p ${family === 4 ? 'icmp' : 'ipv6-icmp'} -j ACCEPT`,
          } as const,
        ]
      : []),
    {
      ...filter,
      chain: 'TSNET',
      position: 'append',
      rule: `! -i ${bridge} -o ${bridge} -j ${intent.unprotected ? 'ACCEPT' : 'DROP'}`,
    },
  ];
}

/** By interface, not by address: a forged source address opens nothing, and bridged broadcasts and link-local packets pass. */
export function internalRules(intent: InternalIntent): Rule[] {
  const { family, bridge } = intent;
  const drop = (rule: string): Rule => ({ family, table: 'filter', chain: 'TSNET-INTERNAL', position: 'append', rule });
  return [
    ...wrongInterface(intent, 'closed'),
    drop(`! -i ${bridge} -o ${bridge} -j DROP`),
    drop(`-i ${bridge} ! -o ${bridge} -j DROP`),
  ];
}

/** What a network's containers may send, judged after all that guards the networks it goes to. */
export function iccRules(intent: IccIntent): Rule[] {
  const { family, bridge } = intent;
  const forward = (rule: string): Rule => ({
    family,
    table: 'filter',
    chain: 'TSNET-FORWARD',
    position: 'append',
    rule,
  });
  const each = `-i ${bridge} -o ${bridge} -j ${intent.allow ? 'ACCEPT' : 'DROP'}`;
  if (intent.internal) return [forward(each)];
  if (intent.allow) return [forward(`-i ${bridge} -j ACCEPT`)];
  return [forward(each), forward(`-i ${bridge} ! -o ${bridge} -j ACCEPT`)];
}

function sourceNat(intent: MasqueradeIntent | HairpinIntent, rule: string): Rule {
  // In front of the rules of published ports, so that they cost the network's own traffic nothing.
  return { family: intent.family, table: 'nat', chain: 'TSNET-POSTROUTING', position: 'insert', rule };
}

export function masqueradeRules(intent: MasqueradeIntent): Rule[] {
  const target = intent.to === undefined ? 'MASQUERADE' : `SNAT --to-source ${intent.to}`;
  const elsewhere = intent.keepWithin === true ? `! -d ${intent.subnet} ` : '';
  return [sourceNat(intent, `-s ${intent.subnet} ${elsewhere}! -o ${intent.bridge} -j ${target}`)];
}

/** In the first chain that drops, since what passes between a branch and its bridge is within the network, internal or not. */
export function branchRules({ family, bridge, subnet, link }: BranchIntent): Rule[] {
  const within = (rule: string, position: Rule['position']): Rule => ({
    family,
    table: 'filter',
    chain: 'TSNET-INTERNAL',
    position,
    rule,
  });
  return [
    { family, table: 'raw', chain: 'TSNET-PREROUTING', position: 'insert', rule: `-d ${subnet} -i ${link} -j RETURN` },
    within(`-i ${link} -o ${bridge} -j ACCEPT`, 'insert'),
    within(`-i ${bridge} -o ${link} -j ACCEPT`, 'insert'),
    within(`-i ${link} -j DROP`, 'append'),
    within(`-o ${link} -j DROP`, 'append'),
  ];
}

/**
 * Clients whom a container would answer past the host, or not at all, get the bridge's address, so that the answer passes
 * the host and is translated back: programs on the host that use 127.0.0.1, and containers of the same network.
 */
export function hairpinRules(intent: HairpinIntent): Rule[] {
  const { family, bridge, subnet } = intent;
  return [
    ...(family === 4 ? [sourceNat(intent, `-s 127.0.0.0/8 -o ${bridge} -j MASQUERADE`)] : []),
    sourceNat(intent, `-s ${subnet} -o ${bridge} -m conntrack --ctstate DNAT -j MASQUERADE`),
  ];
}
