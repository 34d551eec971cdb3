/**
 * Who on other hosts has a name, asked of the store when somebody wants to know (`told-names.ts` puts it there), and kept for some
 * seconds. A host has no mirror of the names, so that a network of 100,000 containers costs it no more than it asks for.
 *
 * What is answered is of a host that is not dead, and in a block that this host has now: a name that nobody could take back leads to no
 * address of somebody else's.
 */
import type { ClusterStore, StoredItem } from '../model/cluster-store.ts';
import { TsnetError } from '../model/error.ts';
import type { ClusterClock } from './clock.ts';
import { holdersOfName, nameIn, namedKey } from './keys.ts';
import { isSharedName } from './told-names.ts';
import { parseNamed } from './values.ts';

export interface NameLookupOptions {
  readonly store: Pick<ClusterStore, 'get' | 'list'>;
  readonly networkId: string;
  /** This host: its own names are in its record. */
  readonly self: string;
  readonly clock: ClusterClock;
  /** False: the store is known to be out of reach. */
  readonly isInTouch: () => boolean;
  /** The host that gives out an address, as far as it is not dead. */
  readonly hostOf: (address: string) => string | undefined;
  /** How long an address rests on its host before another container gets it: what was true so long ago leads to nobody else. */
  readonly quarantineMs: number;
}

export interface NameLookup {
  /** Addresses of those who have a name, in lower case. @throws TsnetError RUNTIME where nobody can say now */
  named(name: string): Promise<readonly string[]>;
  /** The first name of whoever has an IPv4 address. @throws TsnetError RUNTIME where nobody can say now */
  nameOf(address: string): Promise<string | undefined>;
}

/** As long as a container may keep our answer. */
const FRESH_MS = 5000;
/** That nobody has a name is soon another matter. */
const FRESH_NOBODY_MS = 1000;
/** A resolver asks somebody else after some seconds. */
const LONGEST_MS = 500;
/** After a failure nobody waits for the next one. */
const FAILED_FOR_MS = 1000;
const MOST_KEPT = 10_000;
/** A program that makes names up is the store's business too. */
const MOST_A_SECOND = 500;

/** An endpoint on another host. */
interface Told {
  readonly host: string;
  readonly addresses: readonly string[];
  readonly names: readonly string[];
}

interface Kept {
  readonly atMs: number;
  readonly told: readonly Told[];
}

export function openNameLookup(options: NameLookupOptions): NameLookup {
  const { store, networkId, self, clock, isInTouch, hostOf, quarantineMs } = options;
  const kept = new Map<string, Kept>();
  const underWay = new Map<string, Promise<readonly Told[]>>();
  let failedUntil = 0;
  let second = { beganMs: 0, asked: 0 };

  const mayAsk = (): boolean => {
    const now = clock.now();
    if (!isInTouch() || now < failedUntil) return false;
    if (now - second.beganMs >= 1000) second = { beganMs: now, asked: 0 };
    second.asked += 1;
    return second.asked <= MOST_A_SECOND;
  };

  const keep = (key: string, told: readonly Told[]): readonly Told[] => {
    kept.delete(key);
    const [oldest] = kept.keys();
    if (oldest !== undefined && kept.size >= MOST_KEPT) kept.delete(oldest);
    kept.set(key, { atMs: clock.now(), told });
    return told;
  };

  /** Asked once, however many want to know. What comes too late is kept for who asks next. */
  const ask = (key: string, read: () => Promise<readonly Told[]>): Promise<readonly Told[]> => {
    const asked =
      underWay.get(key) ??
      read()
        .then((told) => keep(key, told))
        .finally(() => underWay.delete(key));
    underWay.set(key, asked);
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        failedUntil = clock.now() + FAILED_FOR_MS;
        reject(error instanceof Error ? error : new Error(String(error)));
      };
      const callOff = clock.after(LONGEST_MS, () => {
        fail(unknown());
      });
      asked.finally(callOff).then(resolve, fail);
    });
  };

  const look = async (key: string, read: () => Promise<readonly Told[]>): Promise<readonly Told[]> => {
    const known = kept.get(key);
    const age = known === undefined ? Infinity : clock.now() - known.atMs;
    const isFresh = age < Math.min(quarantineMs, known?.told.length === 0 ? FRESH_NOBODY_MS : FRESH_MS);
    if (known !== undefined && isFresh) return known.told;
    if (mayAsk()) {
      try {
        return await ask(key, read);
      } catch {
        // What was known before may do.
      }
    }
    if (known === undefined || known.told.length === 0 || age >= quarantineMs) throw unknown();
    return known.told;
  };

  const isThere = ({ host, addresses }: Told): boolean =>
    host !== self && addresses.every((address) => hostOf(address) === host);

  const unknown = (): TsnetError =>
    new TsnetError('RUNTIME', 'look up a name of another host: the cluster store does not answer');

  return {
    named: async (name) => {
      if (!isSharedName(name)) return [];
      const told = await look(name, async () =>
        (await store.list(holdersOfName(networkId, name))).items.flatMap((item) => holderIn(item)),
      );
      return told.filter(isThere).flatMap(({ addresses }) => addresses);
    },
    nameOf: async (address) => {
      const host = hostOf(address);
      if (host === undefined || host === self || address.includes(':')) return undefined;
      const told = await look(`${host} ${address}`, async () => {
        const item = await store.get(namedKey(networkId, host, address));
        const value = item === undefined ? undefined : parseNamed(item.value);
        return value === undefined ? [] : [{ host, ...value }];
      });
      return told.find(isThere)?.names[0];
    },
  };
}

/** "name/NETWORK/web/0617e32a5b835330-10.77.0.5": whose it is says the key, which nobody but that host writes. */
function holderIn({ key, value }: StoredItem): Told[] {
  const [host = ''] = nameIn(key).split('-', 1);
  const addresses = parseNamed(value)?.addresses ?? [];
  return addresses.length === 0 ? [] : [{ host, addresses, names: [] }];
}
