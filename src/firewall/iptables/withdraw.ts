/**
 * What to take away: pure functions from rules and an `iptables-save` to the commands of one restore.
 *
 * A command that names a missing rule fails the whole restore, so nothing is deleted that was not seen.
 */
import type { PublishIntent } from '../../plan/resource.ts';
import { CHAINS, USER_CHAIN } from './base.ts';
import { containerPortsOf, sharedRules } from './publish-rules.ts';
import type { TableEdit } from './restore.ts';
import { TABLES, type Rule, type RuleOrphan } from './rule.ts';
import { countOf, rulesIn, type Ruleset } from './save.ts';

const keyOf = ({ table, chain, rule }: Pick<Rule, 'table' | 'chain' | 'rule'>): string => `${table} ${chain} ${rule}`;

/**
 * Rules that stay although `rules` go: those which another published port shares, because it leads to the same port of the
 * same container.
 */
function stillNeeded(ruleset: Ruleset, rules: readonly Rule[], intents: readonly PublishIntent[]): Set<string> {
  const needed = new Set<string>();
  const bridgeOf = new Map(intents.map(({ to, bridge }) => [to, bridge]));
  const family = rules[0]?.family;
  if (bridgeOf.size === 0 || family === undefined) return needed;
  const leaving = new Set(rules.filter(({ table }) => table === 'nat').map(({ rule }) => rule));
  for (const rule of rulesIn(ruleset, 'nat', 'TSNET')) {
    if (leaving.has(rule)) continue;
    const to = containerPortsOf({ family, rule });
    const bridge = to && bridgeOf.get(to.to);
    if (to !== undefined && bridge !== undefined) for (const kept of sharedRules(to, bridge)) needed.add(keyOf(kept));
  }
  return needed;
}

/** The rules to take away, of those that `rules` names. `intents` are the published ports among what goes. */
export function leavingRules(ruleset: Ruleset, rules: readonly Rule[], intents: readonly PublishIntent[]): Rule[] {
  const needed = stillNeeded(ruleset, rules, intents);
  return rules.filter((rule) => countOf(ruleset, rule.table, rule.chain, rule.rule) > 0 && !needed.has(keyOf(rule)));
}

/** Takes rules away, each as often as it is there: what opens (nat) first, what protects last. */
export function withdrawal(ruleset: Ruleset, leaving: readonly Rule[]): TableEdit[] {
  return TABLES.toReversed().map((table) => ({
    table,
    commands: leaving
      .filter((rule) => rule.table === table)
      .flatMap(({ chain, rule }) =>
        Array.from({ length: countOf(ruleset, table, chain, rule) }, () => `-D ${chain} ${rule}`),
      ),
  }));
}

/**
 * Takes orphans away: each as often as it was reported. Of equal rules the last ones go, by number and from behind, since
 * the first is the one in its place.
 */
export function sweeping(ruleset: Ruleset, orphans: readonly RuleOrphan[]): TableEdit[] {
  const reported = new Map<string, number>();
  for (const { table, chain, rule } of orphans) {
    const key = `${table} ${chain} ${rule}`;
    reported.set(key, (reported.get(key) ?? 0) + 1);
  }
  return TABLES.toReversed().map((table) => ({
    table,
    commands: CHAINS[table]
      .filter((chain) => chain !== USER_CHAIN)
      .flatMap((chain) => {
        const numbers: number[] = [];
        const rules = rulesIn(ruleset, table, chain);
        for (let index = rules.length - 1; index >= 0; index--) {
          const key = `${table} ${chain} ${rules[index] ?? ''}`;
          const left = reported.get(key) ?? 0;
          if (left > 0) numbers.push(index + 1);
          reported.set(key, left - 1);
        }
        return numbers.map((number) => `-D ${chain} ${number}`);
      }),
  }));
}
