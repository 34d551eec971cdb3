/**
 * Rules of other people's chains, of nftables and iptables alike, as far as they decide who may be forwarded.
 */
import type { Family } from '../../model/records.ts';

/** What a packet must be like. Several values: any of them. */
export type Trait =
  /** Interfaces by name; `br*` is every name that begins so, `@lan` the members of a set that was not read. */
  | { readonly kind: 'link'; readonly side: 'in' | 'out'; readonly names: readonly string[] }
  /** Prefixes, or single addresses. */
  | { readonly kind: 'address'; readonly side: 'source' | 'destination'; readonly prefixes: readonly string[] }
  | { readonly kind: 'family'; readonly families: readonly Family[] }
  /** What connection tracking says of the flow: new, established, dnat … */
  | { readonly kind: 'flow'; readonly states: readonly string[] }
  /** A small part of what a network sends or gets, at most: ports, ICMP, marks. */
  | { readonly kind: 'part' }
  /** A match of an iptables extension, of which nftables knows the name only. */
  | { readonly kind: 'extension' }
  | { readonly kind: 'unknown' };

export type Condition = Trait & { readonly negated: boolean };

export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'reject' | 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  /** Ends the packet's way here, or not: a queue, a map of verdicts that was not read. */
  | { readonly kind: 'unknown' };

export interface ForwardRule {
  readonly conditions: readonly Condition[];
  readonly verdict: Verdict;
}

/** Chain → its rules that can decide a packet's fate, in order. Those that only count or log are left out. */
export type ForwardRules = ReadonlyMap<string, readonly ForwardRule[]>;

/** A chain on the hook `forward`, where packets begin. */
export interface BaseChain {
  /** Who keeps it: nftables (iptables-nft's tables are nftables'), or iptables-legacy. */
  readonly owner: 'nft' | 'legacy';
  readonly family: 'ip' | 'ip6' | 'inet';
  readonly table: string;
  readonly name: string;
  readonly policy: 'accept' | 'drop';
}

/** Whether packets of this family pass the chain. */
export function isCrossedBy({ family: table }: BaseChain, family: Family): boolean {
  return table === 'inet' || table === (family === 4 ? 'ip' : 'ip6');
}

/** The chain that iptables calls FORWARD, in the table filter. */
export function isIptablesForward({ family, table, name }: BaseChain): boolean {
  return family !== 'inet' && table === 'filter' && name === 'FORWARD';
}

/** The sets of links, by name, whose members a rule asks for. */
export function linkSets(rules: readonly ForwardRule[]): string[] {
  const named = rules
    .flatMap(({ conditions }) => conditions.flatMap((condition) => (condition.kind === 'link' ? condition.names : [])))
    .filter((name) => name.startsWith('@'));
  return [...new Set(named)].map((name) => name.slice(1));
}

/** The rules with sets of links replaced by their members. */
export function withMembers(
  rules: readonly ForwardRule[],
  members: ReadonlyMap<string, readonly string[]>,
): ForwardRule[] {
  const open = (name: string): readonly string[] =>
    name.startsWith('@') ? (members.get(name.slice(1)) ?? [name]) : [name];
  return rules.map(({ conditions, verdict }) => ({
    conditions: conditions.map((condition) =>
      condition.kind === 'link' ? { ...condition, names: condition.names.flatMap(open) } : condition,
    ),
    verdict,
  }));
}
