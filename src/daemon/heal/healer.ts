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
import { reason } from '../../engine/undo.ts';
import type { NamespaceId } from '../../plan/watch.ts';
import { TAG_PREFIX } from '../../plan/resource.ts';
import type { Follower } from '../follower.ts';
import type { KernelChanges } from '../kernel-changes.ts';
import type { Log } from '../log.ts';
import { openBackOff, type Flapping } from './back-off.ts';
import { isClean, noDirt, soil } from './dirt.ts';
import { openRest } from './rest.ts';
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
  /** daemon.json `self-heal`. */
  readonly enabled: boolean;
  readonly repaired: number;
  readonly failed: number;
  /** Looks that were taken, whether they found something or not. */
  readonly looks: number;
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
/** A comparison of everything goes in parts, and what events tell of goes in between. */
const SANDBOXES_A_PART = 64;
/** After a look that failed altogether: no lock, no memory, no ledger. */
const RETRY_MS = 5_000;
/** Lines of a swarm that are written out. */
const MOST_TOLD = 10;

/** Begins with a comparison of everything. With `"self-heal": false` it does nothing at all. */
export function openHealer(options: HealerOptions): Healer {
  return options.context.config.selfHeal ? activeHealer(options) : idleHealer();
}

function idleHealer(): Healer {
  return {
    sync: () => Promise.resolve(),
    state: () => ({ enabled: false, repaired: 0, failed: 0, looks: 0, flapping: [] }),
    settled: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

function activeHealer(options: HealerOptions): Healer {
  const { context, log, changes, namespaceId, readParameter, onRepaired, onFailed } = options;
  const fullCompareMs = options.fullCompareMs ?? FULL_COMPARE_MS;
  const backOff = openBackOff();
  const names = sandboxNames(namespaceId);
  let dirt = noDirt();
  let interests: Interests = readInterests(context);
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  const rest = openRest();
  /** Parts of a comparison of everything that are still to be looked at. */
  let backlog: HealScope[] = [];
  let closed = false;
  let comparedMs: number | undefined;
  const counts = { repaired: 0, failed: 0, looks: 0 };

  const schedule = (): void => {
    if (closed || running !== undefined || timer !== undefined || (isClean(dirt) && backlog.length === 0)) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        running = run().finally(() => {
          running = undefined;
          schedule();
        });
      },
      isClean(dirt) ? 0 : Math.max(DEBOUNCE_MS, rest.waitMs(performance.now())),
    ).unref();
  };
  const mark = (scope: Partial<HealScope>): void => {
    soil(dirt, scope);
    schedule();
  };
  const markNetworks = (ids: readonly string[]): void => {
    if (ids.length > 0) mark({ networks: new Set(ids) });
  };

  /** A second time only once the first is through. */
  const markEverything = (): void => {
    if (backlog.length > 0) return;
    const [networks, sandboxes] = context.ledger.read((view) => [
      view.networks().map(({ id }) => id),
      view.sandboxes().map(({ id }) => id),
    ]);
    backlog.push({ firewall: true, networks: new Set(networks), sandboxes: new Set(), strays: true });
    for (let at = 0; at < sandboxes.length; at += SANDBOXES_A_PART) {
      const part = new Set(sandboxes.slice(at, at + SANDBOXES_A_PART));
      backlog.push({ firewall: false, networks: new Set(), sandboxes: part, strays: false });
    }
    schedule();
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
      markEverything();
    },
  });
  const parameters = watchParameters({ readParameter, wanted: () => interests.parameters, onDiffering: markNetworks });
  const slowly = setInterval(() => {
    markEverything();
  }, fullCompareMs).unref();

  /** Looks that failed one after the other: a link may go in the middle of one, which the next sees. */
  let inARow = 0;

  /** Turns what was collected into what to look at. */
  const take = (): HealScope | undefined => {
    if (isClean(dirt)) return backlog.shift();
    const { firewall, networks, sandboxes, tagged, strays } = dirt;
    dirt = noDirt();
    context.ledger.read((view) => {
      for (const id of tagged) {
        if (view.network(id) !== undefined) networks.add(id);
        const endpoint = view.endpoint(id);
        if (endpoint === undefined) continue;
        sandboxes.add(endpoint.sandboxId);
        // Ports leave a bridge that is being deleted before it is gone itself.
        networks.add(endpoint.networkId);
      }
    });
    return { firewall, networks, sandboxes, strays };
  };

  const run = async (): Promise<void> => {
    const startedMs = performance.now();
    const wasTold = !isClean(dirt);
    const scope = take();
    if (scope === undefined) return;
    counts.looks += 1;
    let inVain = false;
    try {
      if (scope.strays) await beginAnew();
      let heldForMs = Infinity;
      const isHeldBack = (drift: Drift): boolean => {
        const waitMs = backOff.waitFor(drift, context.now());
        if (waitMs > 0) heldForMs = Math.min(heldForMs, waitMs);
        return waitMs > 0;
      };
      const answer = await heal(context, scope, { isHeldBack });
      inARow = 0;
      inVain = answer.repaired.length === 0;
      tell(answer);
      for (const { drift } of answer.failed) heldForMs = Math.min(heldForMs, backOff.waitFor(drift, context.now()));
      // What is held back, and what failed, must not wait for the next event.
      if (heldForMs < Infinity) again(scope, heldForMs);
    } catch (error) {
      inARow += 1;
      if (inARow === 1)
        log.info({ reason: reason(error) }, 'self-healing: the kernel changed while it was read; it is read again');
      else log.error({ err: error }, 'self-healing: cannot compare the kernel with the ledger');
      again(scope, RETRY_MS);
    }
    if (wasTold) rest.took({ startedMs, endedMs: performance.now(), inVain });
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

  markEverything();
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
      enabled: true,
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
      backlog = [];
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
