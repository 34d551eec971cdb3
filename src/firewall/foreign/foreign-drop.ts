/**
 * Whether somebody else's chain drops what a network of ours has forwarded, and what to do about it.
 */
import type { Family } from '../../model/records.ts';
import type { ForeignDrop } from '../../plan/kernel.ts';
import { fateIn, type Passage } from './forward-fate.ts';
import { isIptablesForward, type BaseChain, type ForwardRules } from './forward-rule.ts';
import { remedyFor } from './remedy.ts';

/** What is asked about: a network's packets of one family. */
export interface Forwarded {
  readonly family: Family;
  readonly bridge: string;
  readonly subnet: string;
}

export interface HostFacts {
  /** The link of the default route. */
  readonly uplink: (family: Family) => string | undefined;
  /** What `iptables` stands for. */
  readonly iptables: () => 'nft' | 'legacy';
}

export type Finding =
  | { readonly kind: 'drop'; readonly drop: ForeignDrop }
  /** It lets the network pass, or it cannot be told. */
  | { readonly kind: 'pass' | 'unknown' }
  /** The rules of this chain are needed to tell. */
  | { readonly kind: 'unread'; readonly chain: string };

/** Looks at the chain as far as its rules have been read. */
export function findDrop(base: BaseChain, rules: ForwardRules, network: Forwarded, host: HostFacts): Finding {
  const { family, bridge, subnet } = network;
  const uplink = host.uplink(family);
  const fates = (['out', 'in'] as const).map((direction) => {
    const passage: Passage = { direction, family, bridge, subnet, ...(uplink === undefined ? {} : { uplink }) };
    return { passage, fate: fateIn(base, rules, passage) };
  });
  for (const { fate } of fates) if (fate.kind === 'unread') return fate;
  for (const { fate } of fates) {
    if (fate.kind !== 'drop') continue;
    const passages = fates.filter((one) => one.fate.kind !== 'accept').map(({ passage }) => passage);
    const remedy = remedyFor({ base, rules, passages, iptables: host.iptables() });
    return { kind: 'drop', drop: { family, bridge, chain: chainText(base), why: fate.why, remedy } };
  }
  return { kind: fates.some(({ fate }) => fate.kind === 'unknown') ? 'unknown' : 'pass' };
}

/** "table ip filter, chain FORWARD", as nft names it; legacy tables are iptables's alone. */
function chainText(base: BaseChain): string {
  const { owner, family, table, name } = base;
  if (owner === 'nft') return `table ${family} ${table}, chain ${name}`;
  return `${family === 'ip' ? 'iptables' : 'ip6tables'}-legacy table ${table}, chain ${name}`;
}

/** Our chain in iptables's FORWARD. An accept in it ends the chain, so that what comes later there drops nothing of ours. */
const OUR_CHAIN = 'TSNET-FORWARD';

interface Chain {
  readonly base: BaseChain;
  /** All chains of its table. */
  readonly names: ReadonlySet<string>;
}

/** Whether, with the backend iptables, our rules stand in this chain. `others`: the chains of iptables's other variant. */
export function isOurs({ base, names }: Chain, others: readonly Chain[]): boolean {
  if (!isIptablesForward(base)) return false;
  if (names.has(OUR_CHAIN)) return true;
  // Where our chain is nowhere (somebody flushed it), which of the two variants is ours cannot be told.
  return !others.some(
    (other) => isIptablesForward(other.base) && other.base.family === base.family && other.names.has(OUR_CHAIN),
  );
}
