/**
 * iptables-save and iptables-restore over rules in memory, as far as tsnet uses them: a table commits or is refused as a
 * whole, a missing chain or rule is a refusal, `:CHAIN` empties a chain.
 */
import type { ProgramOutcome, RunProgram } from '../../../../src/kernel/run-program.ts';

const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  raw: ['PREROUTING', 'OUTPUT'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
};

type Chains = Map<string, string[]>;
type Tables = Map<string, Chains>;

export interface FakeIptables {
  readonly run: RunProgram;
  /** Programs run so far: "iptables-save", "ip6tables-restore" … */
  readonly calls: string[];
  /** What iptables-save of a family prints; tables without rules or chains of somebody's are left out. */
  save(family: 4 | 6): string;
  /** What an administrator does: one restore that must succeed. */
  restore(family: 4 | 6, text: string): void;
  /** Refuses the next restore, after it did this to the tables. */
  interfere(family: 4 | 6, text: string): void;
}

export function fakeIptables(): FakeIptables {
  const families: Record<4 | 6, Tables> = { 4: emptyTables(), 6: emptyTables() };
  const calls: string[] = [];
  const interference: { family: 4 | 6; text: string }[] = [];

  const run: RunProgram = ({ file, input }) => {
    calls.push(file);
    const family = file.startsWith('ip6') ? 6 : 4;
    if (file.endsWith('-save')) return Promise.resolve(outcome(0, printTables(families[family])));
    const between = interference.shift();
    if (between !== undefined) commitAll(families[between.family], between.text);
    const refusal = commitAll(families[family], input);
    return Promise.resolve(refusal === undefined ? outcome(0) : outcome(1, '', `${file}: ${refusal}`));
  };
  return {
    run,
    calls,
    save: (family) => printTables(families[family]),
    restore: (family, text) => {
      const refusal = commitAll(families[family], text);
      if (refusal !== undefined) throw new Error(refusal);
    },
    interfere: (family, text) => void interference.push({ family, text }),
  };
}

function emptyTables(): Tables {
  return new Map(
    Object.entries(BUILT_IN).map(([table, chains]) => [table, new Map(chains.map((chain) => [chain, []]))]),
  );
}

function outcome(status: number, stdout = '', stderr = ''): ProgramOutcome {
  return { status, stdout, stderr };
}

function printTables(tables: Tables): string {
  return [...tables]
    .filter(([table, chains]) => [...chains].some(([chain, rules]) => !isBuiltIn(table, chain) || rules.length > 0))
    .map(([table, chains]) =>
      [
        `*${table}`,
        ...[...chains.keys()].map((chain) => `:${chain} ${isBuiltIn(table, chain) ? 'ACCEPT' : '-'} [0:0]`),
        ...[...chains].flatMap(([chain, rules]) => rules.map((rule) => `-A ${chain} ${rule}`)),
        'COMMIT\n',
      ].join('\n'),
    )
    .join('');
}

function isBuiltIn(table: string, chain: string): boolean {
  return BUILT_IN[table]?.includes(chain) === true;
}

/** Commits table after table; the reason of the first refusal. */
function commitAll(tables: Tables, text: string): string | undefined {
  let name = '';
  let draft: Chains = new Map();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.startsWith('*')) {
      name = line.slice(1);
      draft = structuredClone(tables.get(name) ?? new Map<string, string[]>());
    } else if (line === 'COMMIT') {
      tables.set(name, draft);
    } else if (line !== '' && !execute(draft, line)) {
      return `line ${index + 1} failed`;
    }
  }
  return undefined;
}

function execute(chains: Chains, line: string): boolean {
  if (line.startsWith(':')) return chains.set(line.slice(1).split(' ', 1)[0] ?? '', []).size > 0;
  const [, command = '', chain = '', rule = ''] = /^-(\w) (\S+) ?(.*)$/.exec(line) ?? [];
  const rules = chains.get(chain);
  const target = /-j (TSNET\S*)/.exec(rule)?.[1];
  if (rules === undefined || (target !== undefined && !chains.has(target))) return false;
  switch (command) {
    case 'A':
      return rules.push(rule) > 0;
    case 'I':
      return rules.unshift(rule) > 0;
    case 'F':
      return rules.splice(0).length >= 0;
    case 'X': {
      const used = [...chains.values()].flat().some((other) => ` ${other} `.includes(` -j ${chain} `));
      return rules.length === 0 && !used && chains.delete(chain);
    }
    case 'D': {
      const index = /^\d+$/.test(rule) ? Number(rule) - 1 : rules.indexOf(rule);
      return index >= 0 && rules.splice(index, 1).length === 1;
    }
    default:
      return false;
  }
}
