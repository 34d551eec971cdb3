/**
 * The ledger: two LMDB environments, one contract.
 *
 * Networks live under data-root and survive everything. Sandboxes, endpoints, leases and ports live under exec-root, in a
 * directory named after the boot id: what the kernel forgot at a reboot is never even opened again, which also means that
 * a file that was written without syncing is never read after a power cut.
 *
 * The mutex of the endpoints' environment is the one lock. `change` takes it and reads the networks as they are under it;
 * `changeNetworks` takes it first and the networks' own inside. So nobody attaches to a network while somebody who found
 * it empty marks it for removal. Both environments carry a generation, counted up by every change of networks: a reader that
 * finds two equal ones has two matching snapshots; one that does not asks again under the lock.
 */
import { readdirSync, readFileSync, rmSync, existsSync } from 'node:fs';
import path from 'node:path';
import { TsnetError } from '../model/error.ts';
import { randomId } from '../model/ids.ts';
import type { Ledger } from '../model/ledger.ts';
import { openEnvironment, type Environment } from './environment.ts';
import { journal, type Journal } from './journal.ts';
import { META } from './keys.ts';
import { changeOf, networkChangeOf, viewOf } from './view.ts';

/** Counted up when keys or records change in a way that an older tsnet would misread. */
const LAYOUT_VERSION = 1;

export interface LedgerPlaces {
  readonly dataRoot: string;
  readonly execRoot: string;
  /** Names this boot; absent: the kernel's /proc/sys/kernel/random/boot_id. */
  readonly bootId?: string;
}

/** Both environments, and the change being made. */
interface Store {
  readonly networks: Environment;
  readonly endpoints: Environment;
}

function generation({ pairs }: Environment): number {
  return (pairs.get(META.generation) as number | undefined) ?? 0;
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
  const networksAt = path.join(places.dataRoot, 'ledger');
  const networks = openEnvironment(networksAt, 'durable');
  checkLayout(networks, networksAt, () => {
    networks.pairs.put(META.installation, randomId());
  });
  const endpointsAt = bootDirectory(places);
  const endpoints = openEnvironment(endpointsAt, 'volatile');
  checkLayout(endpoints, endpointsAt, () => {
    networks.refresh();
    endpoints.pairs.put(META.generation, generation(networks));
  });
  return { networks, endpoints };
}

/** Takes back what the networks' environment committed before the endpoints' could not. */
function takeBack({ networks }: Store, written: Journal, count: number): void {
  networks.transact(() => {
    // Somebody who changed networks since then saw ours as true.
    if (generation(networks) === count) written.restore();
  }, 'commit');
}

function changeBoth<T>(store: Store, make: (written: Journal) => T, end: 'commit' | 'abort'): T {
  const { networks, endpoints } = store;
  let committed: { readonly written: Journal; readonly count: number } | undefined;
  try {
    return endpoints.transact(() => {
      const written = journal(networks.pairs);
      const count = generation(networks) + 1;
      const result = networks.transact(() => {
        const made = make(written);
        if (written.isTouched()) {
          written.pairs.put(META.generation, count);
          endpoints.pairs.put(META.generation, count);
        }
        return made;
      }, end);
      if (end === 'commit' && written.isTouched()) committed = { written, count };
      return result;
    }, end);
  } catch (error) {
    if (committed === undefined) throw error;
    try {
      takeBack(store, committed.written, committed.count);
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
  const { networks, endpoints } = store;
  const parts = { networks: networks.pairs, endpoints: endpoints.pairs };
  let isChanging = false;

  /** A change within a change would wait for itself. */
  const alone = <T>(change: () => T): T => {
    if (isChanging) throw new TsnetError('INTERNAL', 'the ledger is being changed already by this process');
    isChanging = true;
    networks.refresh();
    try {
      return change();
    } finally {
      isChanging = false;
      networks.refresh();
    }
  };

  return {
    read: (look) => {
      if (isChanging) return look(viewOf(parts));
      // Opening looked at both in this turn of the event loop, and so may have anything else that reads.
      networks.refresh();
      endpoints.refresh();
      try {
        if (generation(networks) === generation(endpoints)) return look(viewOf(parts));
      } finally {
        networks.refresh();
        endpoints.refresh();
      }
      // Between the two commits of a change, or after a crash between them: under the lock there is no between.
      return alone(() => endpoints.transact(() => look(viewOf(parts)), 'abort'));
    },
    change: (make) =>
      alone(() =>
        endpoints.transact(() => {
          const count = generation(networks);
          if (generation(endpoints) !== count) endpoints.pairs.put(META.generation, count);
          return make(changeOf(parts));
        }, 'commit'),
      ),
    changeNetworks: (make) =>
      alone(() => changeBoth(store, ({ pairs }) => make(networkChangeOf({ ...parts, networks: pairs })), 'commit')),
    rehearse: (make) =>
      alone(() => changeBoth(store, ({ pairs }) => make(networkChangeOf({ ...parts, networks: pairs })), 'abort')),
    close: async () => {
      await endpoints.close();
      await networks.close();
    },
  };
}
