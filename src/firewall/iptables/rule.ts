/**
 * One iptables rule as data.
 *
 * `rule` is byte for byte what `iptables-save` prints behind `-A CHAIN `, so that to compare the kernel with a plan is to
 * compare strings. The order of its parts is iptables's: `-s -d -i -o -p -m … -j`.
 */
import type { Family } from '../../model/records.ts';
import type { Orphan } from '../../plan/kernel.ts';

export type Table = 'raw' | 'filter' | 'nat';

/**
 * The tables that we use, in the order in which a change commits them. A restore commits one table after the other, so what
 * protects (raw, filter) is in force before what opens (nat); a removal commits in reverse.
 */
export const TABLES: readonly Table[] = ['raw', 'filter', 'nat'];

export interface Rule {
  readonly family: Family;
  readonly table: Table;
  readonly chain: string;
  /** Accepts are inserted at the top of their chain and drops appended, so that an accept never ends up behind a drop. */
  readonly position: 'insert' | 'append';
  readonly rule: string;
}

/** Rules of several intents without repetition: two subnets of one bridge ask for some rules twice. */
export function distinct(rules: readonly Rule[]): Rule[] {
  return [...new Map(rules.map((rule) => [`${rule.family} ${rule.table} ${rule.chain} ${rule.rule}`, rule])).values()];
}

/** A rule in a chain of ours that no intent explains. */
export type RuleOrphan = Extract<Orphan, { readonly kind: 'rule' }>;
