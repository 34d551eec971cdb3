/** What is wrong with the table's sets, chains and rules, apart from elements. */
import type { ListedTable } from './listing.ts';
import { CHAIN_NAMES, SET_NAMES, USER_CHAIN, chainLayout, type ChainName } from './table.ts';

function hookText(name: ChainName): string | undefined {
  const { hook } = chainLayout(name);
  return hook && `${hook.type} ${hook.hook} ${hook.priority} accept`;
}

/** Faults in words for the administrator; none: the frame is whole. */
export function frameFaults(table: ListedTable): string[] {
  const faults = SET_NAMES.filter((name) => !table.sets.has(name)).map((name) => `set ${name} is gone`);
  if (!table.chains.has(USER_CHAIN)) faults.push(`chain ${USER_CHAIN} is gone`);
  for (const name of CHAIN_NAMES) {
    const chain = table.chains.get(name);
    if (chain === undefined) {
      faults.push(`chain ${name} is gone`);
      continue;
    }
    if (chain.hook !== hookText(name)) faults.push(`chain ${name}: hook is "${chain.hook ?? 'none'}"`);
    const wanted = Object.keys(chainLayout(name).rules);
    const gone = wanted.filter((comment) => !chain.rules.includes(comment));
    const foreign = chain.rules.filter((comment) => comment === undefined || !wanted.includes(comment)).length;
    if (gone.length === wanted.length) faults.push(`chain ${name}: all rules are gone`);
    else faults.push(...gone.map((comment) => `chain ${name}: rule "${comment}" is gone`));
    if (foreign > 0) faults.push(`chain ${name}: has ${foreign} rules that are not ours`);
    if (gone.length === 0 && foreign === 0 && chain.rules.some((comment, index) => comment !== wanted[index])) {
      faults.push(`chain ${name}: its rules are repeated or out of order`);
    }
  }
  return faults;
}
