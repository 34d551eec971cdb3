/**
 * Self-healing: what the ledger says is made true again soon after somebody changed it in the kernel.
 *
 * Events say what to look at: the firewall, one network, one sandbox. A look that finds nothing is the end of it, so our own
 * changes cost a comparison and no more. A slow comparison of everything finds what no event told.
 */
import type { EngineContext } from '../../engine/context.ts';
import type { Drift, RepairAnswer } from '../../engine/engine.ts';
import { collectDead } from '../../engine/gc.ts';
import { heal, type HealScope } from '../../engine/heal.ts';
import { recover } from '../../engine/recover.ts';
import type { NamespaceId } from '../../plan/watch.ts';
import { TAG_PREFIX } from '../../plan/resource.ts';
import type { Follower } from '../follower.ts';
import type { KernelChanges } from '../kernel-changes.ts';
import type { Log } from '../log.ts';
import { openBackOff, type Flapping } from './back-off.ts';
import { isClean, noDirt, soil } from './dirt.ts';
import { readInterests, type Interests } from './interests.ts';
import { watchParameters } from './parameters.ts';
import { sandboxNames } from './sandbox-names.ts';

export interface HealerOptions {
  readonly context: EngineContext;
  readonly log: Log;
  readonly changes: KernelChanges;
  readonly namespaceId: NamespaceId;
  /** Value of a kernel parameter of the host; undefined: it has none of this name. */
  readonly readParameter: (key: string) => string | undefined;
  /** Milliseconds between comparisons of everything; absent: a minute. */
  readonly fullCompareMs?: number;
  readonly onRepaired?: (drift: Drift) => void;
  readonly onFailed?: (drift: Drift, reason: string) => void;
}

/** What `tsnet info` tells of it. */
export interface HealerState {
  readonly repaired: number;
  readonly failed: number;
  /** What is broken again and again, or cannot be mended. */
  readonly flapping: readonly Flapping[];
  /** Unix time in milliseconds of the last comparison of everything. */
  readonly comparedMs?: number;
}

export interface Healer extends Follower {
  state(): HealerState;
  /** Resolves when nothing is left to look at. */
  settled(): Promise<void>;
}

const FULL_COMPARE_MS = 60_000;
/** Events come in swarms: one `ip link del` is some ten. */
const DEBOUNCE_MS = 20;
/** Looking takes at most a quarter of the time, whatever others do. */
const REST_FACTOR = 3;
/** After a look that failed altogether: no lock, no memory, no ledger. */
const RETRY_MS = 5_000;
/** Lines of a swarm that are written out. */
const MOST_TOLD = 10;

/** Begins with a comparison of everything. */
export function openHealer(options: HealerOptions): Healer {
  const { context, log, changes, namespaceId, readParameter, onRepaired, onFailed } = options;
  const fullCompareMs = options.fullCompareMs ?? FULL_COMPARE_MS;
  const backOff = openBackOff();
  const names = sandboxNames(namespaceId);
  let dirt = noDirt();
  let interests: Interests = readInterests(context);
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let restUntil = 0;
  let closed = false;
  let comparedMs: number | undefined;
  const counts = { repaired: 0, failed: 0 };

  const schedule = (waitMs = DEBOUNCE_MS): void => {
    if (closed || running !== undefined || timer !== undefined || isClean(dirt)) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        running = run().finally(() => {
          running = undefined;
          schedule();
        });
      },
      Math.max(waitMs, restUntil - performance.now()),
    ).unref();
  };
  const mark = (scope: Partial<HealScope>): void => {
    soil(dirt, { everything: false, firewall: false, networks: new Set(), sandboxes: new Set(), ...scope });
    schedule();
  };
  const markNetworks = (ids: readonly string[]): void => {
    if (ids.length > 0) mark({ networks: new Set(ids) });
  };

  const unsubscribe = changes.subscribe({
    onHost: ({ about, link, tag }) => {
      if (about === 'rule') markNetworks(interests.withRules);
      else if (about === 'parameter') parameters.look();
      if (tag !== undefined) {
        dirt.tagged.add(tag.slice(TAG_PREFIX.length));
        schedule();
      }
      if (link !== undefined) markNetworks(interests.networksOf(link));
    },
    onNamespace: (nsid) => {
      const id = names.sandboxOf(nsid);
      if (id !== undefined) mark({ sandboxes: new Set([id]) });
    },
    onNamespaceGone: (nsid) => {
      names.forget(nsid);
    },
    onFirewall: () => {
      mark({ firewall: true });
    },
    onLost: () => {
      mark({ everything: true });
    },
  });
  const parameters = watchParameters({ readParameter, wanted: () => interests.parameters, onDiffering: markNetworks });
  const slowly = setInterval(() => {
    mark({ everything: true });
  }, fullCompareMs).unref();

  /** Turns what was collected into what to look at. */
  const take = (): HealScope => {
    const { everything, firewall, networks, sandboxes, tagged } = dirt;
    dirt = noDirt();
    context.ledger.read((view) => {
      for (const id of tagged) {
        if (view.network(id) !== undefined) networks.add(id);
        const sandboxId = view.endpoint(id)?.sandboxId;
        if (sandboxId !== undefined) sandboxes.add(sandboxId);
      }
    });
    return { everything, firewall, networks, sandboxes };
  };

  const run = async (): Promise<void> => {
    const started = performance.now();
    const scope = take();
    try {
      if (scope.everything) await beginAnew();
      let heldForMs = Infinity;
      const isHeldBack = (drift: Drift): boolean => {
        const waitMs = backOff.waitFor(drift, context.now());
        if (waitMs > 0) heldForMs = Math.min(heldForMs, waitMs);
        return waitMs > 0;
      };
      const answer = await heal(context, scope, { isHeldBack });
      tell(answer);
      for (const { drift } of answer.failed) heldForMs = Math.min(heldForMs, backOff.waitFor(drift, context.now()));
      // What is held back, and what failed, must not wait for the next event.
      if (heldForMs < Infinity) again(scope, heldForMs);
    } catch (error) {
      log.error({ err: error }, 'self-healing: cannot compare the kernel with the ledger');
      again(scope, RETRY_MS);
    }
    const ended = performance.now();
    restUntil = ended + REST_FACTOR * (ended - started);
  };

  const beginAnew = async (): Promise<void> => {
    for (const { name, error } of await recover(context)) {
      if (error === undefined) log.info({ name }, 'finished what a process that has ended began');
    }
    const dead = await collectDead(context);
    for (const { name, reason } of dead.removed) log.info({ name, reason }, 'let go of a dead container');
    for (const { name, reason } of dead.failed) log.warn({ name, reason }, 'cannot let go of a dead container');
    interests = readInterests(context);
    await names.learn(context.ledger.read((view) => view.sandboxes()));
    comparedMs = context.now();
  };

  const waiting = new Set<NodeJS.Timeout>();
  const again = (scope: HealScope, waitMs: number): void => {
    const wake = setTimeout(() => {
      waiting.delete(wake);
      mark(scope);
    }, waitMs).unref();
    waiting.add(wake);
  };

  const tell = ({ repaired, failed }: RepairAnswer): void => {
    const now = context.now();
    counts.repaired += repaired.length;
    counts.failed += failed.length;
    if (repaired.length > 0) {
      const what = repaired.slice(0, MOST_TOLD).map(text);
      log.info({ repaired: repaired.length, what }, 'mended what was changed in the kernel');
    }
    for (const drift of repaired) {
      onRepaired?.(drift);
      if (backOff.note(drift, now).isNews)
        log.warn(
          { owner: drift.owner, what: drift.what },
          'somebody keeps undoing this; it is mended less and less often',
        );
    }
    for (const { drift, reason } of failed) {
      onFailed?.(drift, reason);
      if (backOff.note(drift, now, reason).isNews)
        log.error({ owner: drift.owner, what: drift.what, reason }, 'cannot mend this; it is tried again');
    }
  };

  mark({ everything: true });
  return {
    sync: async (only) => {
      try {
        interests = readInterests(context);
        const sandboxes = context.ledger.read((view) =>
          only === undefined ? view.sandboxes() : [...only].flatMap((id) => view.sandbox(id) ?? []),
        );
        await names.learn(sandboxes);
      } catch (error) {
        log.error({ err: error }, 'self-healing: cannot read what to watch');
      }
    },
    state: () => ({
      ...counts,
      flapping: backOff.list(context.now()),
      ...(comparedMs === undefined ? {} : { comparedMs }),
    }),
    settled: async () => {
      while (running !== undefined || timer !== undefined) {
        await (running ?? new Promise((resolve) => setTimeout(resolve, DEBOUNCE_MS)));
      }
    },
    close: async () => {
      closed = true;
      unsubscribe();
      parameters.close();
      clearInterval(slowly);
      clearTimeout(timer);
      timer = undefined;
      for (const wake of waiting) clearTimeout(wake);
      await running;
    },
  };
}

function text({ state, owner, what, detail }: Drift): string {
  return `${owner}: ${state} ${what}${detail === undefined ? '' : ` (${detail})`}`;
}
