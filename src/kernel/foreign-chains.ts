/**
 * Other people's chains on the hook `forward`, read as little as will do: chain by chain as a packet would come to them. A
 * table may hold ten thousand rules of other people's containers, and none of them is about ours.
 */
import { readFileSync } from 'node:fs';
import {
  isIptablesForward,
  linkSets,
  withMembers,
  type BaseChain,
  type ForwardRule,
} from '../firewall/foreign/forward-rule.ts';
import { iptablesPolicy, iptablesRules } from '../firewall/foreign/iptables-rules.ts';
import {
  addressSets,
  chainNames,
  forwardChains,
  nftRules,
  setMembers,
  tableName,
} from '../firewall/foreign/nft-rules.ts';
import { parseSave } from '../firewall/iptables/save.ts';
import type { Family } from '../model/records.ts';
import type { Nft, NftObject } from './nft.ts';
import type { RunProgram } from './run-program.ts';

const TIMEOUT_MS = 10_000;

/** A base chain with what has been read of its table. */
export interface ForeignChain {
  readonly base: BaseChain;
  /** All chains of its table. */
  readonly names: ReadonlySet<string>;
  readonly rules: ReadonlyMap<string, readonly ForwardRule[]>;
  /** Reads the rules of one more chain. Rejects if that cannot be done. */
  read(chain: string): Promise<void>;
  /** Reads again, more exactly, what nft cannot tell; false if there is nothing of the kind. */
  refine(): Promise<boolean>;
}

/** Words that nft takes for names; a chain of another name could not be asked for. */
const NFT_NAME = /^[A-Za-z_.][\w./-]*$/;

export async function nftChains(nft: Nft, run: RunProgram): Promise<ForeignChain[]> {
  if (!nft.isInstalled()) return [];
  const objects = await nft.list('list chains', 'terse');
  const bases = forwardChains(objects).filter(({ table }) => NFT_NAME.test(table));
  if (bases.length === 0) return [];
  const costly = addressSets(await nft.list('list sets', 'terse'));
  return bases
    .filter((base) => base.policy === 'drop' || base.table === 'firewalld' || !costly.has(tableName(base)))
    .map((base) => nftChain({ nft, run, base, names: chainNames(objects, base) }));
}

interface NftSource {
  readonly nft: Nft;
  readonly run: RunProgram;
  readonly base: BaseChain;
  readonly names: ReadonlySet<string>;
}

function nftChain({ nft, run, base, names }: NftSource): ForeignChain {
  const rules = new Map<string, readonly ForwardRule[]>();
  const list = (what: string, name: string): Promise<readonly NftObject[]> => {
    if (!NFT_NAME.test(name)) throw new Error(`nft cannot name ${name}`);
    return nft.list(`list ${what} ${tableName(base)} ${name}`, what === 'set' ? 'all' : 'terse');
  };
  /** iptables tells what its own extensions look for. */
  const isOpaque = (chain: readonly ForwardRule[]): boolean =>
    isIptablesForward(base) && chain.some(({ conditions }) => conditions.some(({ kind }) => kind === 'extension'));
  const readText = async (chain: string): Promise<readonly ForwardRule[]> => {
    const program = base.family === 'ip' ? 'iptables-nft' : 'ip6tables-nft';
    const text = await output(run, program, ['-t', base.table, '-S', chain]);
    return iptablesRules(parseSave(`*${base.table}\n${text}`), chain, (name) => names.has(name));
  };
  return {
    base,
    names,
    rules,
    async read(chain) {
      rules.set(chain, nftRules(await list('chain', chain)));
    },
    async refine() {
      let isFiner = false;
      for (const [chain, old] of rules) {
        const sets = linkSets(old);
        if (!isOpaque(old) && sets.length === 0) continue;
        const read = isOpaque(old) ? await readText(chain) : old;
        const members = new Map<string, readonly string[]>();
        for (const set of sets) members.set(set, setMembers(await list('set', set)));
        rules.set(chain, withMembers(read, members));
        isFiner = true;
      }
      return isFiner;
    },
  };
}

/** The chains FORWARD of iptables-legacy, whose tables nftables does not know. Its program is not started where it has none. */
export async function legacyChains(run: RunProgram): Promise<ForeignChain[]> {
  const families = ([4, 6] as const).filter(hasLegacyFilter);
  return Promise.all(
    families.map(async (family): Promise<ForeignChain> => {
      const program = family === 4 ? 'iptables-legacy-save' : 'ip6tables-legacy-save';
      const text = await output(run, program, ['-t', 'filter']);
      const ruleset = parseSave(text);
      const names = new Set(ruleset.get('filter')?.keys());
      const rules = new Map<string, readonly ForwardRule[]>();
      return {
        base: {
          owner: 'legacy',
          family: family === 4 ? 'ip' : 'ip6',
          table: 'filter',
          name: 'FORWARD',
          policy: iptablesPolicy(text, 'FORWARD'),
        },
        names,
        rules,
        read: (chain) => {
          rules.set(
            chain,
            iptablesRules(ruleset, chain, (name) => names.has(name)),
          );
          return Promise.resolve();
        },
        refine: () => Promise.resolve(false),
      };
    }),
  );
}

function hasLegacyFilter(family: Family): boolean {
  try {
    const tables = readFileSync(family === 4 ? '/proc/net/ip_tables_names' : '/proc/net/ip6_tables_names', 'latin1');
    return tables.split('\n').includes('filter');
  } catch {
    return false;
  }
}

async function output(run: RunProgram, file: string, args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await run({ file, args, input: '', timeoutMs: TIMEOUT_MS });
  if (status !== 0) throw new Error(`${file}: ${stderr.trim()}`);
  return stdout;
}
