/**
 * The ledger: two LMDB environments behind a gate, one contract.
 *
 * Networks live under data-root and survive everything. Sandboxes, endpoints, leases and ports live under exec-root, in a
 * directory named after the boot id: what the kernel forgot at a reboot is never even opened again, which also means that
 * a file that was written without syncing is never read after a power cut.
 *
 * The gate is a third environment that never holds anything: its mutex is the one lock. Changes are made in it, and
 * environments are opened in it (`environment.ts` says why); its own opening is safe because nothing is ever committed to it.
 * So nobody attaches to a network while somebody who found it empty marks it for removal.
 *
 * Both environments carry a generation, counted up by every change of networks: a reader that finds two equal ones has two
 * matching snapshots; one that does not asks again behind the gate.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { TsnetError } from '../model/error.ts';
import { randomId } from '../model/ids.ts';
import type { Ledger, LedgerChange } from '../model/ledger.ts';
import { openEnvironment, type Environment } from './environment.ts';
import { journal, type Journal } from './journal.ts';
import { META } from './keys.ts';
import { rememberedPairs } from './remembered-pairs.ts';
import { changeOf, networkChangeOf, viewOf } from './view.ts';

/** Counted up when keys or records change in a way that an older tsnet would misread. */
const LAYOUT_VERSION = 1;

export interface LedgerPlaces {
  readonly dataRoot: string;
  readonly execRoot: string;
  /** Names this boot; absent: the kernel's /proc/sys/kernel/random/boot_id. */
  readonly bootId?: string;
}

interface Store {
  readonly gate: Environment;
  readonly networks: Environment;
  readonly endpoints: Environment;
}

function generation({ pairs }: Environment): number {
  return (pairs.get(META.generation) as number | undefined) ?? 0;
}

/** Every change is counted in its own transaction: who finds the number it knows has nothing to read again. */
function countChange({ pairs }: Environment): void {
  pairs.put(META.revision, ((pairs.get(META.revision) as number | undefined) ?? 0) + 1);
}

/** @throws TsnetError LEDGER when a newer tsnet wrote it */
function checkLayout(environment: Environment, directory: string, first: () => void): void {
  const version = environment.pairs.get(META.version) as number | undefined;
  if (version === undefined) {
    environment.transact(() => {
      if (environment.pairs.get(META.version) !== undefined) return;
      first();
      environment.pairs.put(META.version, LAYOUT_VERSION);
    }, 'commit');
  } else if (version > LAYOUT_VERSION) {
    throw new TsnetError(
      'LEDGER',
      `open the ledger in ${directory}: a newer tsnet wrote it (layout ${version}, this one knows ${LAYOUT_VERSION}); use that one`,
    );
  }
}

/** Directory of this boot's records. Those of earlier boots are void and go with its first use. */
function bootDirectory({ execRoot, bootId }: LedgerPlaces): string {
  const boot = bootId ?? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const parent = path.join(execRoot, 'ledger');
  const directory = path.join(parent, boot);
  if (existsSync(parent) && !existsSync(directory)) {
    for (const name of readdirSync(parent)) {
      if (name !== boot) rmSync(path.join(parent, name), { recursive: true, force: true });
    }
  }
  return directory;
}

function openStore(places: LedgerPlaces): Store {
  const boot = bootDirectory(places);
  const gate = openEnvironment(path.join(boot, 'gate'), 'volatile');
  return gate.transact(() => {
    const networksAt = path.join(places.dataRoot, 'ledger');
    const networks = openEnvironment(networksAt, 'durable');
    checkLayout(networks, networksAt, () => {
      networks.pairs.put(META.installation, randomId());
    });
    const endpointsAt = path.join(boot, 'endpoints');
    const endpoints = openEnvironment(endpointsAt, 'volatile');
    checkLayout(endpoints, endpointsAt, () => {
      networks.refresh();
      endpoints.pairs.put(META.generation, generation(networks));
    });
    return { gate, networks, endpoints };
  }, 'abort');
}

/**
 * Changes both: the networks' transaction inside the endpoints'. If the outer commit fails (a full disk) after the inner one
 * succeeded, the inner one is taken back; the gate is still shut, so nobody has built on it.
 */
function changeBoth<T>({ networks, endpoints }: Store, make: (written: Journal) => T, end: 'commit' | 'abort'): T {
  let committed: Journal | undefined;
  try {
    return endpoints.transact(() => {
      const written = journal(networks.pairs);
      countChange(endpoints);
      const result = networks.transact(() => {
        const made = make(written);
        if (written.isTouched()) {
          const count = generation(networks) + 1;
          written.pairs.put(META.generation, count);
          endpoints.pairs.put(META.generation, count);
        }
        return made;
      }, end);
      if (end === 'commit' && written.isTouched()) committed = written;
      return result;
    }, end);
  } catch (error) {
    if (committed === undefined) throw error;
    try {
      networks.transact(committed.restore, 'commit');
    } catch (second) {
      throw new TsnetError('LEDGER', 'change networks: half of the change was written; run `tsnet repair`', {
        cause: new AggregateError([error, second]),
      });
    }
    throw error;
  }
}

/**
 * Opens the ledger, making its directories when they are not there.
 * @throws TsnetError PERMISSION, or LEDGER when it is damaged, unwritable, full, or newer than this program
 */
export function openLedger(places: LedgerPlaces): Ledger {
  const store = openStore(places);
  const { gate, networks, endpoints } = store;
  const parts = { networks: networks.pairs, endpoints: endpoints.pairs };
  const remembered = rememberedPairs(networks.pairs);
  const unchanged = { ...parts, networks: remembered.pairs };
  const view = viewOf(unchanged);
  let endpointsChange: LedgerChange | undefined;
  let isChanging = false;

  /** Nobody else on this host changes anything meanwhile. A change within a change would wait for itself. */
  const alone = <T>(work: () => T): T => {
    if (isChanging) throw new TsnetError('INTERNAL', 'the ledger is being changed already by this process');
    isChanging = true;
    try {
      return gate.transact(() => {
        networks.refresh();
        endpoints.refresh();
        return work();
      }, 'abort');
    } finally {
      isChanging = false;
      networks.refresh();
      endpoints.refresh();
    }
  };

  return {
    read: (look) => {
      if (isChanging) return look(viewOf(parts));
      // Opening looked at both in this turn of the event loop, and so may have anything else that reads.
      networks.refresh();
      endpoints.refresh();
      try {
        const count = generation(networks);
        if (count === generation(endpoints)) {
          remembered.at(count);
          return look(view);
        }
      } finally {
        networks.refresh();
        endpoints.refresh();
      }
      // Between the two commits of a change, or after a crash between them: behind the gate there is no between.
      return alone(() => look(viewOf(parts)));
    },
    change: (make) =>
      alone(() =>
        endpoints.transact(() => {
          const count = generation(networks);
          if (generation(endpoints) !== count) endpoints.pairs.put(META.generation, count);
          countChange(endpoints);
          remembered.at(count);
          return make((endpointsChange ??= changeOf(unchanged)));
        }, 'commit'),
      ),
    changeNetworks: (make) =>
      alone(() => changeBoth(store, ({ pairs }) => make(networkChangeOf({ ...parts, networks: pairs })), 'commit')),
    rehearse: (make) =>
      alone(() => changeBoth(store, ({ pairs }) => make(networkChangeOf({ ...parts, networks: pairs })), 'abort')),
    // The end of the process closes LMDB, nothing else may (`environment.ts`); here only the snapshots are let go.
    close: () => {
      networks.refresh();
      endpoints.refresh();
      return Promise.resolve();
    },
  };
}
