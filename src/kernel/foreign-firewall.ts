/**
 * Somebody else's firewall that drops what our networks have forwarded.
 *
 * With nftables every base chain on the hook `forward` judges a packet, whoever it belongs to: what our table accepts, another
 * one may still drop. A look costs a few listings of single chains, and is kept for a second, so that a thousand containers
 * attached in a row are one look.
 */
import { realpathSync } from 'node:fs';
import { findDrop, isOurs, type Forwarded, type HostFacts } from '../firewall/foreign/foreign-drop.ts';
import { isCrossedBy } from '../firewall/foreign/forward-rule.ts';
import { tableName } from '../firewall/foreign/nft-rules.ts';
import { TABLE } from '../firewall/nftables/table.ts';
import type { Family } from '../model/records.ts';
import type { FirewallBackend, ForeignDrop, LookAge } from '../plan/kernel.ts';
import { legacyChains, nftChains, type ForeignChain } from './foreign-chains.ts';
import { openNft, type Nft } from './nft.ts';
import { runProgram, type RunProgram } from './run-program.ts';
import { uplink } from './uplink.ts';

const RECENT_MS = 1000;

export interface ForeignFirewallOptions {
  /** Which backend holds our rules. */
  readonly backend: () => FirewallBackend;
  readonly nft?: Nft;
  readonly run?: RunProgram;
  readonly facts?: HostFacts;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

interface Look {
  readonly at: number;
  readonly host: HostFacts;
  readonly chains: Promise<readonly ForeignChain[]>;
}

/** The drops of each network, in the order given. Never rejects: what cannot be read is not told of. */
export type FindForeignDrops = (networks: readonly Forwarded[], age: LookAge) => Promise<ForeignDrop[]>;

export function foreignFirewall({
  backend,
  nft = openNft(),
  run = runProgram,
  facts = { uplink, iptables: standardIptables },
  now = () => performance.now(),
}: ForeignFirewallOptions): FindForeignDrops {
  let last: Look | undefined;
  const look = (age: LookAge): Look => {
    const at = now();
    if (last !== undefined && age === 'recent' && at - last.at < RECENT_MS) return last;
    return (last = { at, host: remembered(facts), chains: readChains({ nft, run, backend: backend() }) });
  };
  return async (networks, age) => {
    if (networks.length === 0 || backend() === 'none') return [];
    const { host, chains: reading } = look(age);
    const chains = await reading;
    const drops: ForeignDrop[] = [];
    for (const network of networks) {
      for (const chain of chains) {
        const drop = isCrossedBy(chain.base, network.family) ? await judge(chain, network, host) : undefined;
        if (drop !== undefined) drops.push(drop);
      }
    }
    return drops;
  };
}

interface Source {
  readonly nft: Nft;
  readonly run: RunProgram;
  readonly backend: FirewallBackend;
}

async function readChains({ nft, run, backend }: Source): Promise<ForeignChain[]> {
  const [modern, legacy] = await Promise.all([nftChains(nft, run).catch(() => []), legacyChains(run).catch(() => [])]);
  const foreign = modern.filter(({ base }) => tableName(base) !== TABLE);
  if (backend !== 'iptables') return [...foreign, ...legacy];
  return [...foreign.filter((chain) => !isOurs(chain, legacy)), ...legacy.filter((chain) => !isOurs(chain, modern))];
}

/** Reads on until it can be told; undefined where the network passes or it cannot be told. */
async function judge(chain: ForeignChain, network: Forwarded, host: HostFacts): Promise<ForeignDrop | undefined> {
  try {
    for (let isFinest = false; ;) {
      const finding = findDrop(chain.base, chain.rules, network, host);
      if (finding.kind === 'drop') return finding.drop;
      if (finding.kind === 'pass') return undefined;
      if (finding.kind === 'unread') await chain.read(finding.chain);
      else if (isFinest || !(await chain.refine())) return undefined;
      else isFinest = true;
    }
  } catch {
    // Somebody changed the table meanwhile, or a program is missing.
    return undefined;
  }
}

/** Asks for each fact once, when it is needed. */
function remembered({ uplink: find, iptables }: HostFacts): HostFacts {
  const uplinks = new Map<Family, string | undefined>();
  return {
    uplink: (family) => {
      if (!uplinks.has(family)) uplinks.set(family, find(family));
      return uplinks.get(family);
    },
    iptables,
  };
}

/** What the name `iptables` leads to. */
function standardIptables(): 'nft' | 'legacy' {
  for (const folder of ['/usr/sbin', '/sbin', '/usr/bin']) {
    try {
      return realpathSync(`${folder}/iptables`).includes('legacy') ? 'legacy' : 'nft';
    } catch {
      // Not there.
    }
  }
  return 'nft';
}
