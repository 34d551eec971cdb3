/**
 * What `iptables-save` prints, as a value.
 */

/** The rules of one chain, in order, and how often each is there. */
interface SavedChain {
  readonly rules: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
}

/** Table → chain → rules. Tables and chains of other people are in it too. */
export type Ruleset = ReadonlyMap<string, ReadonlyMap<string, SavedChain>>;

interface GrowingChain {
  readonly rules: string[];
  readonly counts: Map<string, number>;
}

/** Reads the output of iptables-save or ip6tables-save (without `--counters`). Lines that say nothing about rules are skipped. */
export function parseSave(text: string): Ruleset {
  const ruleset = new Map<string, Map<string, GrowingChain>>();
  let table = new Map<string, GrowingChain>();
  const chainOf = (name: string): GrowingChain => {
    let chain = table.get(name);
    if (chain === undefined) table.set(name, (chain = { rules: [], counts: new Map() }));
    return chain;
  };
  for (const line of text.split('\n')) {
    if (line.startsWith('-A ')) {
      const end = line.indexOf(' ', 3);
      const chain = chainOf(end < 0 ? line.slice(3) : line.slice(3, end));
      const rule = end < 0 ? '' : line.slice(end + 1);
      chain.rules.push(rule);
      chain.counts.set(rule, (chain.counts.get(rule) ?? 0) + 1);
    } else if (line.startsWith(':')) {
      chainOf(line.slice(1).split(' ', 1)[0] ?? '');
    } else if (line.startsWith('*')) {
      const name = line.slice(1);
      table = ruleset.get(name) ?? new Map<string, GrowingChain>();
      ruleset.set(name, table);
    }
  }
  return ruleset;
}

/** The rules of a chain in order; none where the table or the chain is not there. */
export function rulesIn(ruleset: Ruleset, table: string, chain: string): readonly string[] {
  return ruleset.get(table)?.get(chain)?.rules ?? [];
}

/** How often a rule is in a chain. */
export function countOf(ruleset: Ruleset, table: string, chain: string, rule: string): number {
  return ruleset.get(table)?.get(chain)?.counts.get(rule) ?? 0;
}

export function hasChain(ruleset: Ruleset, table: string, chain: string): boolean {
  return ruleset.get(table)?.has(chain) === true;
}
