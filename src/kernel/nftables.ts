/**
 * The firewall backend `nftables`: elements of the table `inet tsnet` from `src/firewall/nftables/`, made true by transactions.
 *
 * A change adds or removes its elements without reading anything, so that it costs the same at any size. Only where nftables
 * refuses (somebody flushed the table, an element is missing or leads elsewhere) the table is read and what differs is mended.
 */
import path from 'node:path';
import { elementsOf } from '../firewall/nftables/intent-elements.ts';
import { observeIntents, orphanElements } from '../firewall/nftables/drift.ts';
import { identity, parseElement, type Element } from '../firewall/nftables/element.ts';
import { frameFaults } from '../firewall/nftables/frame-faults.ts';
import { DORMANT, parseTable, type ListedTable } from '../firewall/nftables/listing.ts';
import { SETS, TABLE, TABLE_NAME, type SetName } from '../firewall/nftables/table.ts';
import {
  additions,
  completion,
  dismantling,
  isInUse,
  removals,
  wakening,
  withdrawal,
} from '../firewall/nftables/transaction.ts';
import { TsnetError } from '../model/error.ts';
import type { FirewallResource } from '../plan/resource.ts';
import { holding } from './file-lock.ts';
import type { FirewallExecutor } from './firewall-executor.ts';
import { openGrouping } from './grouped.ts';
import { openNft, type Nft, type NftObject } from './nft.ts';

export interface NftablesOptions {
  /** Folder of the lock; a tmpfs that a reboot empties. */
  readonly execRoot?: string;
  readonly nft?: Nft;
}

const NO_SUCH_TABLE = 'No such file or directory';

/** Another program may change the table between our reading and our writing: read again, so many times. */
const ATTEMPTS = 3;

export function openNftables({ execRoot = '/run/tsnet', nft = openNft() }: NftablesOptions = {}): FirewallExecutor {
  const lockFile = path.join(execRoot, 'firewall.lock');
  const alone = (work: (lock: number) => Promise<void>): Promise<void> => holding(lockFile, 'exclusive', work);

  /** The table with its elements; undefined where there is none. */
  const read = async (): Promise<ListedTable | undefined> => {
    try {
      const flags = (await nft.tableFlags()).get(TABLE_NAME);
      if (flags === undefined) return undefined;
      return flags.length === 0 ? parseTable(await nft.list(`list table ${TABLE}`)) : DORMANT;
    } catch (error) {
      // It went in between. In C's own words, which no locale changes here.
      if (error instanceof Error && error.message.includes(NO_SUCH_TABLE)) return undefined;
      throw refusal('read the firewall rules', error);
    }
  };

  /** What a listing of all inet tables says of ours; undefined where it has nothing of it. It leaves the elements in the kernel. */
  const look = async (command: 'list ruleset inet' | 'list chains inet'): Promise<ListedTable | undefined> => {
    const ours = (await nft.list(command, 'terse')).filter((object) => isOurs(object));
    return ours.length === 0 ? undefined : parseTable(ours);
  };

  /** The table without its elements, if it is printed without harm; with them if not. */
  const readFrame = async (): Promise<ListedTable | undefined> => {
    try {
      const flags = [...(await nft.tableFlags()).values()];
      return await (flags.some(({ length }) => length === 1) ? read() : look('list ruleset inet'));
    } catch (error) {
      throw refusal('read the firewall rules', error);
    }
  };

  /** Reads, decides, writes; `decide` is pure. */
  const mend = async (lock: number, decide: (table: ListedTable | undefined) => string): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      let table = await read();
      if (table === DORMANT) {
        await nft.apply(wakening(), lock);
        table = await read();
      }
      const commands = decide(table);
      if (commands === '') return;
      const complaint = await nft.apply(commands, lock);
      if (complaint === undefined) return;
      if (attempt === ATTEMPTS) throw refusal('change the firewall rules', new Error(complaint));
    }
  };

  /** Ports come to a network that stands: that its chains are whole is asked only when it comes up. */
  const isFramed = async (intents: readonly FirewallResource[]): Promise<boolean> => {
    if (intents.every(({ kind }) => kind === 'publish')) return true;
    const table = await readFrame();
    return table !== undefined && frameFaults(table).length === 0;
  };

  const grouped = openGrouping();
  /** One transaction that takes no look at what is there; rejects where that will not do. */
  const blindly = (
    elements: readonly Element[],
    change: typeof additions,
    isReady: () => Promise<boolean>,
  ): Promise<void> =>
    alone(async (lock) => {
      if (new Set(elements.map(identity)).size < elements.length || !(await isReady())) throw new Error('not blindly');
      const complaint = await nft.apply(change(elements), lock);
      if (complaint !== undefined) throw new Error(complaint);
    });

  const ensure = grouped<FirewallResource>({
    together: (intents) => blindly(intents.flatMap(elementsOf), additions, () => isFramed(intents)),
    alone: (intents) =>
      alone(async (lock) => {
        const elements = intents.flatMap(elementsOf);
        if ((await isFramed(intents)) && (await nft.apply(additions(elements), lock)) === undefined) return;
        await mend(lock, (table) => completion(table, elements));
      }),
  });

  const remove = grouped<FirewallResource>({
    together: (intents) => blindly(intents.flatMap(elementsOf), removals, () => Promise.resolve(true)),
    alone: (intents) =>
      alone(async (lock) => {
        const elements = intents.flatMap(elementsOf);
        if ((await nft.apply(removals(elements), lock)) === undefined) return;
        await mend(lock, (table) => withdrawal(table, elements));
      }),
  });

  return {
    ensure,
    remove,

    async observe(intents) {
      return intents.length === 0 ? [] : observeIntents(intents, await read());
    },

    async orphans(intents) {
      return orphanElements(intents, await read());
    },

    sweep: (orphans) => {
      const elements = orphans.flatMap(({ chain, rule }): Element[] =>
        chain in SETS ? [parseElement(chain as SetName, rule)] : [],
      );
      return elements.length === 0
        ? Promise.resolve()
        : alone((lock) => mend(lock, (table) => withdrawal(table, elements)));
    },

    dismantle: () => alone((lock) => mend(lock, dismantling)),

    async remains() {
      if (!nft.isInstalled()) return false;
      try {
        const table = await look('list chains inet');
        return table !== undefined && isInUse(table);
      } catch (error) {
        throw refusal('read the firewall rules', error);
      }
    },
  };
}

/** Whether a set, map, chain or rule is one of our table's. */
function isOurs(object: NftObject): boolean {
  return Object.values(object).some((what) => (what as { readonly table?: unknown }).table === TABLE_NAME);
}

function refusal(attempt: string, cause: unknown): TsnetError {
  if (cause instanceof TsnetError) return cause;
  if (process.geteuid?.() !== 0) {
    return new TsnetError('PERMISSION', `${attempt}: needs root (CAP_NET_ADMIN)`, { cause });
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TsnetError('FIREWALL', `${attempt}: nftables: ${reason}`, { cause });
}
