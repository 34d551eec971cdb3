/**
 * What to change, given what is there: pure functions from an `iptables-save` to the commands of one restore.
 *
 * A command that names a missing rule fails the whole restore, so nothing is deleted that was not seen.
 */
import type { Family } from '../model/records.ts';
import type { PublishIntent } from '../plan/resource.ts';
import { baseJumps, CHAINS, targetOf, USER_CHAIN, type Jumps } from './base.ts';
import { containerPortsOf, sharedRules } from './publish-rules.ts';
import type { TableEdit } from './restore.ts';
import { TABLES, type Rule, type RuleOrphan, type Table } from './rule.ts';
import { countOf, hasChain, rulesIn, type Ruleset } from './save.ts';

const keyOf = ({ table, chain, rule }: Pick<Rule, 'table' | 'chain' | 'rule'>): string => `${table} ${chain} ${rule}`;

function addCommands(rules: readonly Rule[]): string[] {
  return [
    // The last one inserted comes first: backwards, so that they end up in the order given.
    ...rules
      .filter(({ position }) => position === 'insert')
      .reverse()
      .map(({ chain, rule }) => `-I ${chain} ${rule}`),
    ...rules.filter(({ position }) => position === 'append').map(({ chain, rule }) => `-A ${chain} ${rule}`),
  ];
}

/** Adds rules that are known not to be there to chains that should be: what can be done without reading first. */
export function additions(rules: readonly Rule[]): TableEdit[] {
  return TABLES.map((table) => ({ table, commands: addCommands(rules.filter((rule) => rule.table === table)) }));
}

/** Whether jumps stand as they should: each once and, where it matters, in front of everything else. */
export function jumpsStand(ruleset: Ruleset, jumps: Jumps): boolean {
  const there = rulesIn(ruleset, jumps.table, jumps.chain);
  return (
    jumps.rules.every((rule) => countOf(ruleset, jumps.table, jumps.chain, rule) === 1) &&
    (jumps.place !== 'first' || jumps.rules.every((rule, index) => there[index] === rule))
  );
}

function jumpCommands(ruleset: Ruleset, jumps: Jumps): string[] {
  if (jumpsStand(ruleset, jumps)) return [];
  const { table, chain, rules, place } = jumps;
  const stale = rules.flatMap((rule) =>
    Array.from({ length: countOf(ruleset, table, chain, rule) }, () => `-D ${chain} ${rule}`),
  );
  const fresh =
    place === 'bottom'
      ? rules.map((rule) => `-A ${chain} ${rule}`)
      : rules.toReversed().map((rule) => `-I ${chain} ${rule}`);
  return [...stale, ...fresh];
}

/** Makes the rules' tables whole: shared chains and jumps that are missing or misplaced, and the rules that are missing. */
export function completion(ruleset: Ruleset, family: Family, rules: readonly Rule[]): TableEdit[] {
  return TABLES.map((table) => {
    const wanted = rules.filter((rule) => rule.table === table);
    if (wanted.length === 0) return { table, commands: [] };
    return {
      table,
      commands: [
        ...CHAINS[table].filter((chain) => !hasChain(ruleset, table, chain)).map((chain) => `:${chain} - [0:0]`),
        ...baseJumps(family)
          .filter((jumps) => jumps.table === table)
          .flatMap((jumps) => jumpCommands(ruleset, jumps)),
        ...addCommands(wanted.filter(({ chain, rule }) => countOf(ruleset, table, chain, rule) === 0)),
      ],
    };
  });
}

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

/** Chains of ours that can go: not the administrator's while it holds rules, and none that a foreign rule leads to. */
function removableChains(ruleset: Ruleset, table: Table): string[] {
  const foreignTargets = new Set<string | undefined>();
  const ours = new Set(CHAINS[table]);
  const jumps = new Set(
    ([4, 6] as const).flatMap((family) =>
      baseJumps(family).flatMap(({ chain, rules }) => rules.map((rule) => `${chain} ${rule}`)),
    ),
  );
  for (const [chain, { rules }] of ruleset.get(table) ?? []) {
    if (ours.has(chain) && chain !== USER_CHAIN) continue;
    for (const rule of rules) if (!jumps.has(`${chain} ${rule}`)) foreignTargets.add(targetOf(rule));
  }
  return CHAINS[table].filter(
    (chain) =>
      hasChain(ruleset, table, chain) &&
      !foreignTargets.has(chain) &&
      (chain !== USER_CHAIN || rulesIn(ruleset, table, chain).length === 0),
  );
}

/** Removes everything of ours: jumps, rules and chains. */
export function dismantling(ruleset: Ruleset, family: Family): TableEdit[] {
  return TABLES.toReversed().map((table) => {
    const removable = removableChains(ruleset, table);
    const userStays = hasChain(ruleset, table, USER_CHAIN) && !removable.includes(USER_CHAIN);
    const unhooked = baseJumps(family)
      .filter((jumps) => jumps.table === table && !CHAINS[table].includes(jumps.chain))
      .flatMap(({ chain, rules }) =>
        rules
          .filter((rule) => !(userStays && targetOf(rule) === USER_CHAIN))
          .flatMap((rule) => Array.from({ length: countOf(ruleset, table, chain, rule) }, () => `-D ${chain} ${rule}`)),
      );
    const emptied = CHAINS[table].filter((chain) => chain !== USER_CHAIN && hasChain(ruleset, table, chain));
    return {
      table,
      commands: [...unhooked, ...emptied.map((chain) => `-F ${chain}`), ...removable.map((chain) => `-X ${chain}`)],
    };
  });
}
