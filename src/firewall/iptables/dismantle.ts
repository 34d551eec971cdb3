/**
 * How everything of ours goes, once no network needs it.
 */
import type { Family } from '../../model/records.ts';
import { baseJumps, CHAINS, targetOf, USER_CHAIN } from './base.ts';
import type { TableEdit } from './restore.ts';
import { TABLES, type Table } from './rule.ts';
import { countOf, hasChain, rulesIn, type Ruleset } from './save.ts';

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
