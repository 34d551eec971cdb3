/**
 * What to add: pure functions from rules, and an `iptables-save`, to the commands of one restore.
 */
import type { Family } from '../../model/records.ts';
import { baseJumps, CHAINS, type Jumps } from './base.ts';
import type { TableEdit } from './restore.ts';
import { TABLES, type Rule } from './rule.ts';
import { countOf, hasChain, rulesIn, type Ruleset } from './save.ts';

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
function jumpsStand(ruleset: Ruleset, jumps: Jumps): boolean {
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
