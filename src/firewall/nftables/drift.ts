/**
 * What differs between the intents and the table, in words for the administrator.
 */
import type { Family } from '../../model/records.ts';
import type { Observation, Orphan } from '../../plan/kernel.ts';
import type { FirewallResource } from '../../plan/resource.ts';
import { elementText, identity, joined, parseElement, type Element } from './element.ts';
import { frameFaults } from './frame-faults.ts';
import { elementsOf, GUARD_SETS } from './intent-elements.ts';
import { DORMANT, valueIn, type ListedTable } from './listing.ts';
import { TABLE, type SetName } from './table.ts';

export type RuleOrphan = Extract<Orphan, { readonly kind: 'rule' }>;

const DORMANT_FAULT = `table ${TABLE} is dormant (nft flag): its rules do nothing`;

function elementFault(table: ListedTable, { set, key, value = [] }: Element): string | undefined {
  const there = valueIn(table, set, key);
  if (there === undefined) return `${set}: element "${joined(key)}" is missing`;
  if (there !== joined(value)) return `${set}: element "${joined(key)}" leads to ${there}`;
  return undefined;
}

/**
 * One observation an intent. Faults of the frame are told once, on the first intent of a network: ensuring that intent mends
 * them for all.
 */
export function observeIntents(intents: readonly FirewallResource[], table: ListedTable | undefined): Observation[] {
  if (table === undefined) return intents.map((resource) => ({ resource, state: 'missing' }));
  if (table === DORMANT) return intents.map((resource) => ({ resource, state: 'wrong', detail: DORMANT_FAULT }));
  let frame = frameFaults(table);
  return intents.map((resource): Observation => {
    const elements = elementsOf(resource);
    const faults = elements.flatMap((element) => elementFault(table, element) ?? []);
    const gone = elements.every(({ set, key }) => valueIn(table, set, key) === undefined);
    const details = resource.kind === 'publish' ? faults : [...frame, ...faults];
    if (resource.kind !== 'publish') frame = [];
    if (details.length === 0) return { resource, state: 'present' };
    if (gone && details.length === faults.length) return { resource, state: 'missing' };
    return { resource, state: 'wrong', detail: details.join('; ') };
  });
}

function familyOf(set: SetName, key: string): Family {
  return set.endsWith('6') || key.startsWith('ipv6 ') ? 6 : 4;
}

/**
 * Elements that no intent explains. A guard of VXLAN is left alone where no intent is one: whoever knows no cluster must not open
 * its port.
 */
export function orphanElements(intents: readonly FirewallResource[], table: ListedTable | undefined): RuleOrphan[] {
  const explained = new Set(intents.flatMap(elementsOf).map(identity));
  const knowsGuard = intents.some(({ kind }) => kind === 'vtep-guard');
  const sets = [...(table?.sets ?? [])].filter(([set]) => knowsGuard || !GUARD_SETS.has(set));
  return sets.flatMap(([set, elements]) =>
    [...elements].flatMap(([key, value]): RuleOrphan[] => {
      const element = parseElement(set, value === '' ? key : `${key} : ${value}`);
      if (explained.has(identity(element))) return [];
      return [{ kind: 'rule', family: familyOf(set, key), table: TABLE, chain: set, rule: elementText(element) }];
    }),
  );
}
