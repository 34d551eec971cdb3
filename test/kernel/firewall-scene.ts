/**
 * A host with bridges and containers, made by `ip`, to send packets through the firewall: what the kernel layer makes of a
 * bridge driver's plan, without either.
 *
 *   lan 192.0.2.9 ── eth0 192.0.2.1 host ── tsnet0 172.17.0.1/16 ── containers 172.17.0.2 …
 *       2001:db8::9       2001:db8::1            fd00:17::1/64                  fd00:17::2 …
 *                                        └── br-web 172.18.0.1/16 ── …
 */
import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';
import path from 'node:path';
import type { FirewallExecutor } from '../../src/kernel/firewall-executor.ts';
import { openIptables } from '../../src/kernel/iptables.ts';
import { inNetns } from '../../src/kernel/netns.ts';
import { openNft, type Nft } from '../../src/kernel/nft.ts';
import { openNftables } from '../../src/kernel/nftables.ts';
import { runProgram } from '../../src/kernel/run-program.ts';
import type { FirewallResource } from '../../src/plan/resource.ts';
import { Lab, type Host, type Namespace } from '../support/lab.ts';

/** What writes the rules: a backend and, for iptables, which iptables. */
export type Variant = 'iptables-nft' | 'iptables-legacy' | 'nftables';
export const IPTABLES_VARIANTS = ['iptables-nft', 'iptables-legacy'] as const satisfies readonly Variant[];
export const VARIANTS: readonly Variant[] = [...IPTABLES_VARIANTS, 'nftables'];

const AGENT = path.join(import.meta.dirname, 'firewall-agent.js');
/** How long a packet that should not come is waited for. */
const SILENCE_MS = 250;
const ANSWER_MS = 5_000;

/** nftables in one host's namespace. */
export function nftOf(host: Host): Nft {
  return openNft({ within: (act) => within(host, act) });
}

/** The firewall of one host's namespace. */
export function firewallOf(host: Host, variant: Variant): FirewallExecutor {
  const execRoot = path.join(host.dir, 'run');
  if (variant === 'nftables') return openNftables({ execRoot, nft: nftOf(host) });
  return openIptables({
    execRoot,
    variant: variant === 'iptables-nft' ? 'nft' : 'legacy',
    run: (call) => runProgram({ ...call, file: 'nsenter', args: [`--net=${host.path}`, call.file, ...call.args] }),
  });
}

function within<T>(host: Host, act: () => T): T {
  const fd = openSync(host.path, 'r');
  try {
    return inNetns(fd, act);
  } finally {
    closeSync(fd);
  }
}

/** What people do to a firewall, by the hands that each backend gives them. */
export interface Administrator {
  /** Docker and ufw leave FORWARD with this policy. Nothing for nftables, where a foreign drop is final. */
  dropForwarded(): Promise<unknown>;
  /** Forbids a published port to packets from eth0, in the chain that is theirs; and takes that back. */
  forbid(port: number): Promise<unknown>;
  allowAgain(port: number): Promise<unknown>;
  flushEverything(): Promise<unknown>;
  /** Empties what drops packets on the wrong interface before NAT. */
  flushGuard(): Promise<unknown>;
  /** Empties what keeps neighbours away from ports of 127.0.0.1. */
  flushLoopbackGuard(): Promise<unknown>;
}

function administrator(host: Host, variant: Variant): Administrator {
  if (variant === 'nftables') {
    const nft = async (...words: string[]): Promise<unknown> => host.must('nft', words);
    return {
      dropForwarded: () => Promise.resolve(),
      forbid: (port) =>
        nft(
          ...`add rule inet tsnet tsnet-user iifname eth0 meta l4proto tcp ct original proto-dst ${port} drop`.split(
            ' ',
          ),
        ),
      allowAgain: () => nft('flush', 'chain', 'inet', 'tsnet', 'tsnet-user'),
      flushEverything: () => nft('flush', 'ruleset'),
      flushGuard: () => nft('flush', 'chain', 'inet', 'tsnet', 'guard'),
      flushLoopbackGuard: () => nft('flush', 'chain', 'inet', 'tsnet', 'enter'),
    };
  }
  const each = async (...words: string[]): Promise<void> => {
    for (const program of [variant, variant.replace('ip', 'ip6')]) await host.must(program, words);
  };
  const forbidding = (port: number): string[] =>
    `TSNET-USER -i eth0 -m conntrack --ctorigdstport ${port} -j DROP`.split(' ');
  return {
    dropForwarded: () => host.must(variant, ['-P', 'FORWARD', 'DROP']),
    forbid: (port) => host.must(variant, ['-A', ...forbidding(port)]),
    allowAgain: (port) => host.must(variant, ['-D', ...forbidding(port)]),
    flushEverything: async () => {
      for (const table of ['raw', 'filter', 'nat']) await each('-t', table, '-F');
    },
    flushGuard: () => each('-t', 'raw', '-F'),
    flushLoopbackGuard: () => host.must(variant, ['-t', 'raw', '-F', 'TSNET-PREROUTING']),
  };
}

/** The IPv4 rules of a host as iptables-save prints them, "-A …" lines only. */
export async function savedRules(host: Host, variant: (typeof IPTABLES_VARIANTS)[number]): Promise<string[]> {
  const text = await host.must(`${variant}-save`);
  return text.split('\n').filter((line) => line.startsWith('-A'));
}

type Protocol = 'tcp' | 'udp';

/** A party that listens and dials. */
export interface Party {
  readonly ns: Namespace;
  listen(port: number, protocol?: Protocol): Promise<void>;
  /** What the server says: "NAME sees CLIENT at PORT". For what must be answered. */
  dial(host: string, port: number, protocol?: Protocol): Promise<string>;
  /** The same for what must not be answered: waits a short while only. */
  probe(host: string, port: number, protocol?: Protocol): Promise<string>;
  /** How many datagrams have come to a UDP port that it listens at. */
  heard(port: number): Promise<number>;
}

export function party(ns: Namespace, name: string): Party {
  const child = ns.start(process.execPath, [AGENT], { env: { NODE_EXTRA_CA_CERTS: '' } });
  const waiting = new Map<number, (said: string | number) => void>();
  let last = 0;
  if (child.stdout === null || child.stdin === null) throw new Error('no pipes to the agent');
  const { stdin } = child;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, said } = JSON.parse(line) as { id: number; said: string | number };
    waiting.get(id)?.(said);
    waiting.delete(id);
  });
  const ask = <Answer extends string | number = string>(request: object): Promise<Answer> =>
    new Promise((resolve) => {
      waiting.set(++last, (said) => {
        resolve(said as Answer);
      });
      stdin.write(`${JSON.stringify({ id: last, ...request })}\n`);
    });
  return {
    ns,
    async listen(port, protocol = 'tcp') {
      const said = await ask({ listen: protocol, port, name });
      if (said !== 'listening') throw new Error(`${name} cannot listen at ${port}: ${said}`);
    },
    dial: (host, port, protocol = 'tcp') => ask({ dial: protocol, host, port, ms: ANSWER_MS }),
    probe: (host, port, protocol = 'tcp') => ask({ dial: protocol, host, port, ms: SILENCE_MS }),
    heard: (port) => ask<number>({ heard: port }),
  };
}

export interface Scene {
  readonly lab: Lab;
  readonly host: Host;
  readonly firewall: FirewallExecutor;
  readonly administrator: Administrator;
  /** A program on the host. */
  readonly local: Party;
  /** A neighbour on the LAN. */
  readonly lan: Party;
  /** Adds a bridge: `name`, its IPv4 address, its IPv6 address. */
  bridge(name: string, ...addresses: string[]): Promise<void>;
  /** Adds a container to a bridge; `isolated`: as icc=false makes its port. */
  container(name: string, bridge: string, addresses: readonly string[], isolated?: 'isolated'): Promise<Party>;
  ensure(...intents: readonly FirewallResource[]): Promise<void>;
}

export async function scene(variant: Variant): Promise<Scene> {
  const lab = new Lab();
  const host = lab.host('fw');
  const lanNs = lab.namespace('lan');
  const firewall = firewallOf(host, variant);
  await lab.wire(host, 'eth0', ['192.0.2.1/24', '2001:db8::1/64'], lanNs, 'eth0', ['192.0.2.9/24', '2001:db8::9/64']);
  await host.must('sysctl', ['-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
  // Where br_netfilter is loaded, a new namespace starts with it on; tests that want it say so.
  await filterBridgedFrames(host, 'off');
  let links = 0;
  return {
    lab,
    host,
    firewall,
    administrator: administrator(host, variant),
    local: party(host, 'host'),
    lan: party(lanNs, 'lan'),
    async bridge(name, ...addresses) {
      await host.must('ip', ['link', 'add', name, 'type', 'bridge']);
      for (const address of addresses) await addAddress(host, address, name);
      await host.must('ip', ['link', 'set', name, 'up']);
      await host.must('sysctl', ['-qw', `net.ipv4.conf.${name}.route_localnet=1`]);
    },
    async container(name, bridge, addresses, isolated) {
      const ns = lab.namespace(name);
      const link = `veth${links++}`;
      await lab.wire(host, link, [], ns, 'eth0', addresses);
      await host.must('ip', ['link', 'set', link, 'master', bridge]);
      await host.must('bridge', ['link', 'set', 'dev', link, 'hairpin', 'on', ...(isolated ? ['isolated', 'on'] : [])]);
      for (const address of addresses) {
        const gateway = address.replace(/([.:])[^.:]*\/.*/, '$11');
        await ns.must('ip', ['route', 'add', 'default', 'via', gateway]);
      }
      return party(ns, name);
    },
    ensure: (...intents) => firewall.ensure(intents),
  };
}

/** Whether frames that a bridge forwards cross the firewall too; false where this kernel has no br_netfilter. */
export async function filterBridgedFrames(host: Host, to: 'on' | 'off'): Promise<boolean> {
  const keys = ['iptables', 'ip6tables'].map((name) => `net.bridge.bridge-nf-call-${name}=${to === 'on' ? 1 : 0}`);
  return (await host.run('sysctl', ['-qw', ...keys])).status === 0;
}

async function addAddress(ns: Namespace, address: string, link: string): Promise<void> {
  const more = address.includes(':') ? ['nodad'] : [];
  await ns.must('ip', ['address', 'add', address, 'dev', link, ...more]);
}
