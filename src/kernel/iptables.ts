/**
 * The firewall backend `iptables`: rules from `src/firewall/`, made true by iptables-restore.
 *
 * A change is one iptables-restore a family, whatever the number of rules, under one lock over all processes. Published
 * ports that are certainly new (`iptables-known-rules.ts`) are added unread; everything else is compared with iptables-save first, so that what is
 * there stays untouched and nothing is there twice.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { observeIntents, orphanRules } from '../firewall/iptables/drift.ts';
import { additions, completion } from '../firewall/iptables/complete.ts';
import { dismantling } from '../firewall/iptables/dismantle.ts';
import { leavingRules, sweeping, withdrawal } from '../firewall/iptables/withdraw.ts';
import { rulesOf } from '../firewall/iptables/intent-rules.ts';
import { restoreText, type TableEdit } from '../firewall/iptables/restore.ts';
import { distinct, type Rule } from '../firewall/iptables/rule.ts';
import { hasChain, parseSave, type Ruleset } from '../firewall/iptables/save.ts';
import { TsnetError } from '../model/error.ts';
import type { Family } from '../model/records.ts';
import type { FirewallResource } from '../plan/resource.ts';
import { holding } from './file-lock.ts';
import type { FirewallExecutor } from './firewall-executor.ts';
import { openGrouping } from './grouped.ts';
import { areAbsent, expectRules, learnRules } from './iptables-known-rules.ts';
import { iptablesPrograms } from './iptables-program.ts';
import { hasProgram, runProgram, type RunProgram } from './run-program.ts';

export interface IptablesOptions {
  /** Folder of the lock; a tmpfs that a reboot empties. */
  readonly execRoot?: string;
  readonly run?: RunProgram;
  /** Names one of two installed variants; absent: what `iptables` stands for on this host. */
  readonly variant?: 'nft' | 'legacy';
}

/** Another program may change the tables between our reading and our writing: read again, so many times. */
const ATTEMPTS = 3;
/** Beyond this many rules, reading the tables once is cheaper than asking for each. */
const MOST_UNREAD = 64;

const FAMILIES: readonly Family[] = [4, 6];

/** Which rules a change is about, what to do about them, and what is known once it is done. */
interface Change {
  readonly edits: readonly TableEdit[];
  readonly adding?: readonly Rule[];
  readonly gone?: readonly Rule[];
}

export function openIptables(options: IptablesOptions = {}): FirewallExecutor {
  const lockFile = path.join(options.execRoot ?? '/run/tsnet', 'firewall.lock');
  const programs = iptablesPrograms(options.run ?? runProgram, options.variant);

  /**
   * The programs that make a change inherit the lock: if we are killed while iptables-restore still commits, the next change
   * waits for that commit too.
   */
  const alone = (work: (lock: number) => Promise<void>): Promise<void> => holding(lockFile, 'exclusive', work);

  const read = async (family: Family): Promise<Ruleset> => parseSave(await programs.save(family));

  /** Reads, decides, writes; `decide` is pure. */
  const change = async (family: Family, lock: number, decide: (ruleset: Ruleset) => Change): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      const ruleset = await read(family);
      const { edits, adding = [], gone = [] } = decide(ruleset);
      learnRules(lock, family, { ruleset, adding });
      const text = restoreText(edits);
      if (text === '') return;
      const refused = await programs.restore(family, text, lock);
      if (refused === undefined) {
        if (gone.length > 0) learnRules(lock, family, { ruleset, gone });
        return;
      }
      if (attempt === ATTEMPTS) throw refused;
    }
  };

  const ensureFamily = async (family: Family, intents: readonly FirewallResource[], lock: number): Promise<void> => {
    const rules = distinct(intents.flatMap(rulesOf));
    const unread = intents.every(({ kind }) => kind === 'publish') && rules.length <= MOST_UNREAD;
    if (unread && areAbsent(lock, rules)) {
      expectRules(lock, rules);
      // Refused where somebody removed our chains: then they are made below.
      if ((await programs.restore(family, restoreText(additions(rules)), lock)) === undefined) return;
    }
    await change(family, lock, (ruleset) => ({ edits: completion(ruleset, family, rules), adding: rules }));
  };

  const removeFamily = (family: Family, intents: readonly FirewallResource[], lock: number): Promise<void> => {
    const rules = distinct(intents.flatMap(rulesOf));
    const published = intents.filter((intent) => intent.kind === 'publish');
    return change(family, lock, (ruleset) => {
      const gone = leavingRules(ruleset, rules, published);
      return { edits: withdrawal(ruleset, gone), gone };
    });
  };

  /** The families that may hold rules of ours: IPv6 where there are intents for it, or where the kernel has it. */
  const familiesOf = (intents: readonly FirewallResource[]): Family[] =>
    FAMILIES.filter(
      (family) => family === 4 || intents.some((intent) => intent.family === 6) || existsSync('/proc/net/if_inet6'),
    );

  const grouped = openGrouping();
  const ensure = (intents: readonly FirewallResource[]): Promise<void> =>
    alone((lock) => eachFamily(intents, (family, some) => ensureFamily(family, some, lock)));
  const remove = (intents: readonly FirewallResource[]): Promise<void> =>
    alone((lock) => eachFamily(intents, (family, some) => removeFamily(family, some, lock)));

  return {
    ensure: grouped({ together: ensure, alone: ensure }),
    remove: grouped({ together: remove, alone: remove }),

    async observe(intents) {
      const rulesets = new Map<Family, Ruleset>();
      await eachFamily(intents, async (family) => void rulesets.set(family, await read(family)));
      return observeIntents(intents, rulesets);
    },

    async orphans(intents) {
      const found = familiesOf(intents).map(async (family) => orphanRules(intents, await read(family), family));
      return (await Promise.all(found)).flat();
    },

    sweep: (orphans) =>
      orphans.length === 0
        ? Promise.resolve()
        : alone((lock) =>
            eachFamily(orphans, (family, some) =>
              change(family, lock, (ruleset) => ({ edits: sweeping(ruleset, some) })),
            ),
          ),

    dismantle: () =>
      alone(async (lock) => {
        for (const family of familiesOf([])) {
          await change(family, lock, (ruleset) => ({ edits: dismantling(ruleset, family) }));
        }
      }),

    async remains() {
      if (!hasProgram('iptables-save')) return false;
      for (const family of familiesOf([])) if (hasChain(await read(family), 'filter', 'TSNET-FORWARD')) return true;
      return false;
    },
  };
}

/** Does `work` for each family that occurs, side by side; waits for both before it throws what failed. */
async function eachFamily<T extends { readonly family: Family }>(
  things: readonly T[],
  work: (family: Family, some: readonly T[]) => Promise<void>,
): Promise<void> {
  const done = await Promise.allSettled(
    FAMILIES.map((family) => things.filter((thing) => thing.family === family))
      .filter((some) => some.length > 0)
      .map((some) => work(some[0]?.family ?? 4, some)),
  );
  const failures = done.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (failures.length > 1) {
    const cause = new AggregateError(failures);
    throw new TsnetError('FIREWALL', failures.map(String).join('; '), { cause });
  }
  if (failures.length === 1) throw failures[0];
}
