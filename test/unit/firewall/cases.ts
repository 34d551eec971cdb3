/**
 * Networks and published ports to learn the rules from. `golden/NAME.txt` shows the rules of each, as iptables-save prints
 * them; a kernel test shows that the real iptables-save does.
 */
import type { FirewallResource, IsolateIntent, PublishIntent } from '../../../src/plan/resource.ts';

export interface Case {
  /** Name of the file. */
  readonly name: string;
  /** What it stands for, in the first line of the file. */
  readonly title: string;
  readonly intents: readonly FirewallResource[];
}

const BRIDGE = { family: 4, bridge: 'tsnet0', subnet: '172.17.0.0/16' } as const;
const BRIDGE6 = { family: 6, bridge: 'tsnet0', subnet: 'fd00:17::/64' } as const;
const WEB = { family: 4, bridge: 'br-web', subnet: '172.18.0.0/16' } as const;

type Where = typeof BRIDGE | typeof BRIDGE6 | typeof WEB;

export function isolate(where: Where, more: Partial<IsolateIntent> = {}): FirewallResource {
  return { ...where, kind: 'isolate', trustedLinks: [], allowDirect: false, unprotected: false, ...more };
}

export function icc({ family, bridge }: Where, more: { readonly allow?: boolean; readonly internal?: boolean } = {}) {
  return { family, bridge, kind: 'icc', allow: true, internal: false, ...more } as const;
}

/** What the bridge driver asks for an ordinary network. */
export function network(where: Where): FirewallResource[] {
  return [isolate(where), icc(where), { ...where, kind: 'masquerade' }, { ...where, kind: 'hairpin' }];
}

/** `-p 8080:80` of the container 172.17.0.4, with what is different. */
export function publish(more: Partial<PublishIntent> = {}): PublishIntent {
  return {
    kind: 'publish',
    family: 4,
    bridge: 'tsnet0',
    protocol: 'tcp',
    hostAddress: '0.0.0.0',
    hostPort: 8080,
    containerPort: 80,
    count: 1,
    to: '172.17.0.4',
    mode: 'nat',
    ...more,
  };
}

export const CASES: readonly Case[] = [
  {
    name: 'published-port',
    title: 'The default bridge; -p 8080:80',
    intents: [...network(BRIDGE), publish()],
  },
  {
    name: 'loopback-bound',
    title: 'The default bridge; -p 127.0.0.1:8080:80',
    intents: [...network(BRIDGE), publish({ hostAddress: '127.0.0.1' })],
  },
  {
    name: 'host-address-bound',
    title: 'The default bridge; -p 192.0.2.1:53:53/udp -p 192.0.2.1:9:9/sctp',
    intents: [
      ...network(BRIDGE),
      publish({ hostAddress: '192.0.2.1', protocol: 'udp', hostPort: 53, containerPort: 53 }),
      publish({ hostAddress: '192.0.2.1', protocol: 'sctp', hostPort: 9, containerPort: 9 }),
    ],
  },
  {
    name: 'ranges',
    title: 'The default bridge; -p 7000-7010:7000-7010/udp (same numbers) -p 9000-9010:7000-7010 (shifted)',
    intents: [
      ...network(BRIDGE),
      publish({ protocol: 'udp', hostPort: 7000, containerPort: 7000, count: 11 }),
      publish({ hostPort: 9000, containerPort: 7000, count: 11 }),
    ],
  },
  {
    name: 'one-container-port-twice',
    title: 'The default bridge; -p 8080:80 -p 8081:80: the last rule of nat serves both',
    intents: [...network(BRIDGE), publish(), publish({ hostPort: 8081 })],
  },
  {
    name: 'no-icc',
    title: 'icc=false; -p 8080:80 stays reachable for the network itself, by the host’s address',
    intents: [
      isolate(BRIDGE),
      icc(BRIDGE, { allow: false }),
      { ...BRIDGE, kind: 'masquerade' },
      { ...BRIDGE, kind: 'hairpin' },
      publish(),
    ],
  },
  {
    name: 'internal',
    title: '--internal: no way in, no way out',
    intents: [{ ...BRIDGE, kind: 'internal' }, icc(BRIDGE, { internal: true })],
  },
  {
    name: 'internal-no-icc',
    title: '--internal and icc=false',
    intents: [{ ...BRIDGE, kind: 'internal' }, icc(BRIDGE, { internal: true, allow: false })],
  },
  {
    name: 'dual-stack',
    title: 'A network with IPv4 and IPv6; -p 8080:80, and a shifted range of IPv6',
    intents: [
      ...network(BRIDGE),
      ...network(BRIDGE6),
      publish(),
      publish({ family: 6, hostAddress: '::', to: 'fd00:17::4' }),
      publish({
        family: 6,
        hostAddress: '2001:db8::1',
        to: 'fd00:17::4',
        protocol: 'udp',
        hostPort: 9000,
        containerPort: 7000,
        count: 11,
      }),
      publish({ family: 6, hostAddress: '::', to: 'fd00:17::4', hostPort: 6000, containerPort: 6000, count: 2 }),
    ],
  },
  {
    name: 'internal-ipv6',
    title: '--internal with IPv6',
    intents: [{ ...BRIDGE6, kind: 'internal' }, icc(BRIDGE6, { internal: true })],
  },
  {
    name: 'snat',
    title: 'host_ipv4=192.0.2.1: what leaves has this source address',
    intents: [
      isolate(BRIDGE),
      icc(BRIDGE),
      { ...BRIDGE, kind: 'masquerade', to: '192.0.2.1' },
      { ...BRIDGE, kind: 'hairpin' },
    ],
  },
  {
    name: 'routed',
    title: 'gateway_mode=routed: no NAT; -p 8080:80 opens port 80 of the container’s own address',
    intents: [isolate(BRIDGE, { allowDirect: true, icmp: true }), icc(BRIDGE), publish({ mode: 'routed' })],
  },
  {
    name: 'unprotected',
    title: 'gateway_mode=nat-unprotected: every port of a container’s own address is open; -p 8080:80',
    intents: [
      isolate(BRIDGE, { allowDirect: true, unprotected: true }),
      icc(BRIDGE),
      { ...BRIDGE, kind: 'masquerade' },
      { ...BRIDGE, kind: 'hairpin' },
      publish(),
    ],
  },
  {
    name: 'trusted-links',
    title: 'trusted_host_interfaces=wg0:eth1; from there, -p 8080:80 is reachable at 172.17.0.4:80 as well',
    intents: [
      isolate(BRIDGE, { trustedLinks: ['wg0', 'eth1'] }),
      icc(BRIDGE),
      { ...BRIDGE, kind: 'masquerade' },
      { ...BRIDGE, kind: 'hairpin' },
      publish({ direct: true }),
    ],
  },
  {
    name: 'vxlan-guard',
    title: 'The VXLAN port of a host of a cluster: two others may speak to it, over IPv4 and over IPv6',
    intents: [
      { kind: 'vtep-guard', family: 4, port: 4789, local: '192.0.2.1' },
      { kind: 'vtep', family: 4, port: 4789, address: '192.0.2.2' },
      { kind: 'vtep', family: 4, port: 4789, address: '192.0.2.3' },
      { kind: 'vtep-guard', family: 6, port: 4790, local: '2001:db8::1' },
      { kind: 'vtep', family: 6, port: 4790, address: '2001:db8::2' },
    ],
  },
  {
    name: 'branch',
    title: 'A routed overlay: what goes to other hosts by tsx0 is within the network, and keeps its source',
    intents: [
      isolate(BRIDGE),
      icc(BRIDGE),
      { ...BRIDGE, kind: 'masquerade', keepWithin: true },
      { ...BRIDGE, kind: 'hairpin' },
      { ...BRIDGE, kind: 'branch', link: 'tsx0' },
    ],
  },
  {
    name: 'two-networks',
    title: 'Two networks, closed to each other; a published port in each',
    intents: [
      ...network(BRIDGE),
      ...network(WEB),
      publish(),
      publish({ bridge: 'br-web', hostPort: 8081, to: '172.18.0.2' }),
    ],
  },
];
