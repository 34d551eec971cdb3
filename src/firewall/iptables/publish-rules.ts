/**
 * Published ports as iptables rules. A range of any length costs as much as one port.
 */
import type { PublishIntent } from '../../plan/resource.ts';
import type { Rule } from './rule.ts';

/** Ports of a container, as a published port leads to them. */
export type ContainerPorts = Pick<PublishIntent, 'family' | 'protocol' | 'to' | 'containerPort' | 'count'>;

const host = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;

function ports(first: number, count: number, separator: ':' | '-'): string {
  return count === 1 ? String(first) : `${first}${separator}${first + count - 1}`;
}

function match(protocol: string, first: number, count: number): string {
  return `-p ${protocol} -m ${protocol} --dport ${ports(first, count, ':')}`;
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/**
 * Where DNAT sends a packet. A range that keeps its numbers needs no ports. A shifted one has iptables ≥ 1.6.2 add the
 * distance from the first host port (`/BASE`, NF_NAT_RANGE_PROTO_OFFSET, Linux ≥ 4.18): without it, ports would be dealt at random.
 */
function destination(intent: PublishIntent): string {
  const { to, hostPort, containerPort, count } = intent;
  if (count > 1 && hostPort === containerPort) return to;
  const address = to.includes(':') ? `[${to}]` : to;
  return `${address}:${ports(containerPort, count, '-')}${count > 1 ? `/${hostPort}` : ''}`;
}

/** Lets packets for the container's own address in; gateway mode routed, and `direct`. */
function directRule(to: ContainerPorts, bridge: string): Rule {
  return {
    family: to.family,
    table: 'filter',
    chain: 'TSNET',
    position: 'insert',
    rule: `-d ${host(to.to)} ! -i ${bridge} -o ${bridge} ${match(to.protocol, to.containerPort, to.count)} -j ACCEPT`,
  };
}

/** The container reaches its own published port. As Docker writes it; the network's `hairpin` covers all others of the network. */
function selfRule(to: ContainerPorts): Rule {
  return {
    family: to.family,
    table: 'nat',
    chain: 'TSNET-POSTROUTING',
    position: 'append',
    rule: `-s ${host(to.to)} -d ${host(to.to)} ${match(to.protocol, to.containerPort, to.count)} -j MASQUERADE`,
  };
}

export function publishRules(intent: PublishIntent): Rule[] {
  const { family, protocol, hostAddress, hostPort, count, bridge } = intent;
  if (intent.mode === 'routed') return [directRule(intent, bridge)];

  const wanted = isWildcard(hostAddress) ? '' : `-d ${host(hostAddress)} `;
  const rules: Rule[] = [];
  // A port of 127.0.0.1 is for programs on this host. A neighbour on the LAN may route 127.0.0.1 to us all the same, and
  // route_localnet on its link would let it in.
  if (family === 4 && hostAddress.startsWith('127.')) {
    rules.push({
      family,
      table: 'raw',
      chain: 'TSNET-PREROUTING',
      position: 'append',
      rule: `${wanted}! -i lo ${match(protocol, hostPort, count)} -j DROP`,
    });
  }
  if (intent.direct === true) rules.push(directRule(intent, bridge));
  rules.push(
    {
      family,
      table: 'nat',
      chain: 'TSNET',
      position: 'append',
      rule: `${wanted}${match(protocol, hostPort, count)} -j DNAT --to-destination ${destination(intent)}`,
    },
    selfRule(intent),
  );
  return rules;
}

/**
 * The rules that all host ports of the same container ports share (`-p 8080:80 -p 8081:80`): to be kept for as long as one
 * of them is published.
 */
export function sharedRules(to: ContainerPorts, bridge: string): Rule[] {
  return [directRule(to, bridge), selfRule(to)];
}

const DNAT =
  /-p (tcp|udp|sctp) -m \w+ --dport (\d+)(?::(\d+))? -j DNAT --to-destination (?:\[(.+)\]|([\d.]+))(?::(\d+))?/;
const DNAT_V6_SAME_PORTS = /-p (tcp|udp|sctp) -m \w+ --dport (\d+)(?::(\d+))? -j DNAT --to-destination ([\da-f:]+)$/;

/** Reads back where a DNAT rule of ours leads. */
export function containerPortsOf({ family, rule }: Pick<Rule, 'family' | 'rule'>): ContainerPorts | undefined {
  const found = (family === 6 ? DNAT_V6_SAME_PORTS.exec(rule) : null) ?? DNAT.exec(rule);
  if (found === null) return undefined;
  const [, protocol, first, last = first, v6, v4, containerPort = first] = found;
  const to = v6 ?? v4;
  if (to === undefined) return undefined;
  return {
    family,
    protocol: protocol as PublishIntent['protocol'],
    to,
    containerPort: Number(containerPort),
    count: Number(last) - Number(first) + 1,
  };
}
