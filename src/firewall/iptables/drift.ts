/**
 * What differs between the intents and an `iptables-save`, in words for the administrator.
 */
import type { Family } from '../../model/records.ts';
import type { Observation } from '../../plan/kernel.ts';
import type { FirewallResource } from '../../plan/resource.ts';
import { baseJumps, CHAINS, targetOf, USER_CHAIN } from './base.ts';
import { rulesOf } from './intent-rules.ts';
import { TABLES, type RuleOrphan, type Table } from './rule.ts';
import { isGuardRule } from './vtep-rules.ts';
import { countOf, hasChain, rulesIn, type Ruleset } from './save.ts';

/** Something wrong with what all networks share. */
interface BaseFault {
  readonly table: Table;
  readonly what: string;
}

function baseFaults(ruleset: Ruleset, family: Family): BaseFault[] {
  const faults: BaseFault[] = [];
  for (const table of TABLES) {
    for (const chain of CHAINS[table]) {
      if (!hasChain(ruleset, table, chain)) faults.push({ table, what: `${table}: chain ${chain} is gone` });
    }
  }
  for (const { table, chain, rules, place } of baseJumps(family)) {
    const there = rulesIn(ruleset, table, chain);
    rules.forEach((rule, index) => {
      const name = `${table}: jump ${chain} → ${targetOf(rule) ?? rule}`;
      const count = countOf(ruleset, table, chain, rule);
      if (count === 0) faults.push({ table, what: `${name} is gone` });
      else if (count > 1) faults.push({ table, what: `${name} is there ${count} times` });
      else if (place === 'first' && there.indexOf(rule) > index) {
        const before = there.find((other) => !rules.includes(other));
        if (before !== undefined) faults.push({ table, what: `${name} comes after "${before}"` });
        else if (rules.every((other) => there.includes(other))) faults.push({ table, what: `${name} is out of order` });
      }
    });
  }
  return faults;
}

/**
 * One observation an intent. A fault of the shared chains and jumps is told once, on the first intent of a network that
 * needs them: ensuring that intent mends it for all.
 */
export function observeIntents(
  intents: readonly FirewallResource[],
  rulesets: ReadonlyMap<Family, Ruleset>,
): Observation[] {
  const faults = new Map<Family, BaseFault[]>();
  return intents.map((resource): Observation => {
    const { family } = resource;
    const ruleset = rulesets.get(family) ?? new Map();
    const rules = rulesOf(resource);
    const missing = rules.filter(({ table, chain, rule }) => countOf(ruleset, table, chain, rule) === 0);
    const details = missing.map(({ table, chain, rule }) => `${table} ${chain}: rule "${rule}" is missing`);

    if (resource.kind !== 'publish') {
      let left = faults.get(family);
      if (left === undefined) faults.set(family, (left = baseFaults(ruleset, family)));
      const tables = new Set(rules.map(({ table }) => table));
      details.unshift(...left.filter(({ table }) => tables.has(table)).map(({ what }) => what));
      faults.set(
        family,
        left.filter(({ table }) => !tables.has(table)),
      );
    }
    if (missing.length === rules.length && details.length === missing.length) return { resource, state: 'missing' };
    return details.length === 0
      ? { resource, state: 'present' }
      : { resource, state: 'wrong', detail: details.join('; ') };
  });
}

/**
 * Rules in our chains, the administrator's aside, that no intent explains, and repetitions of those that one does. A guard of VXLAN
 * is left alone where no intent is one: whoever knows no cluster must not open its port.
 */
export function orphanRules(intents: readonly FirewallResource[], ruleset: Ruleset, family: Family): RuleOrphan[] {
  const explained = new Set<string>();
  for (const intent of intents) {
    if (intent.family !== family) continue;
    for (const { table, chain, rule } of rulesOf(intent)) explained.add(`${table} ${chain} ${rule}`);
  }
  for (const { table, chain, rules } of baseJumps(family)) {
    for (const rule of rules) explained.add(`${table} ${chain} ${rule}`);
  }
  const orphans: RuleOrphan[] = [];
  const knowsGuard = intents.some(({ kind }) => kind === 'vtep-guard');
  for (const table of TABLES) {
    for (const chain of CHAINS[table]) {
      if (chain === USER_CHAIN) continue;
      for (const rule of rulesIn(ruleset, table, chain)) {
        if (!knowsGuard && isGuardRule({ chain, rule })) continue;
        // The first of equal rules is explained; `delete` makes the second one an orphan.
        if (!explained.delete(`${table} ${chain} ${rule}`)) orphans.push({ kind: 'rule', family, table, chain, rule });
      }
    }
  }
  return orphans;
}
