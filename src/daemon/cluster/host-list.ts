/** The hosts of the cluster as this one sees them, and on file for the next daemon: who was dead or held is so to it too. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ClusterStore, StoredItem } from '../../model/cluster-store.ts';
import type { ClusterClock } from '../../cluster/clock.ts';
import { openHosts, type Hosts, type HostState, type KnownHost } from '../../cluster/hosts.ts';
import { HOSTS, nameIn } from '../../cluster/keys.ts';
import { openMirror, type Mirror } from '../../cluster/mirror.ts';
import { parseHost, REMOVED_HOST } from '../../cluster/values.ts';
import type { Log } from '../log.ts';

export interface HostListOptions {
  readonly store: ClusterStore;
  readonly self: string;
  readonly graceMs: number;
  readonly clock: ClusterClock;
  readonly log: Log;
  readonly file: string;
  readonly onChange: (hostIds: readonly string[]) => void;
  readonly onLive: (isLive: boolean) => void;
  /** Our own key is not there, or was not a moment ago. */
  readonly onSelfGone: () => void;
}

export interface HostList {
  readonly hosts: Hosts;
  readonly mirror: Mirror;
  /** Hosts that are missing, so many that none is taken for dead. */
  held(): readonly string[] | undefined;
  /** Since when a host has not been there, Unix time in milliseconds; undefined: it is there, or went before this host could see. */
  silentSince(hostId: string): number | undefined;
  close(): void;
}

interface Remembered {
  readonly token: string;
  readonly items: readonly StoredItem[];
  readonly states: Readonly<Record<string, KnownHost>>;
  readonly silentSince?: Readonly<Record<string, number>>;
}

export function openHostList(options: HostListOptions): HostList {
  const { store, self, graceMs, clock, log, file, onChange, onLive, onSelfGone } = options;
  const remembered = read(file);
  let token = remembered?.token;
  let held: readonly string[] | undefined;
  const silentSince = new Map(Object.entries(remembered?.silentSince ?? {}));

  const save = (): void => {
    if (token === undefined) return;
    const states = Object.fromEntries([...hosts.all()].map(([id, { value, state }]) => [id, { value, state }]));
    const silent = Object.fromEntries(silentSince);
    write(file, { token, items: [...mirror.items().values()], states, silentSince: silent });
  };
  const hosts = openHosts({
    self,
    graceMs,
    clock,
    known: new Map(Object.entries(remembered?.states ?? {})),
    onChange: (ids) => {
      for (const id of ids) {
        const host = hosts.find(id);
        if (host === undefined || host.state === 'alive') silentSince.delete(id);
        else if (!silentSince.has(id)) silentSince.set(id, Date.now());
        if (id !== self) tell(log, id, host);
      }
      save();
      onChange(ids);
    },
    onHold: (missing) => {
      held = missing;
      if (missing === undefined)
        log.info({}, 'the hosts that were missing together are back, or few enough to be believed');
      else {
        log.warn(
          { hosts: missing.length },
          'many hosts vanished from the cluster store at once: none is taken for dead, and nothing is changed; look at the store',
        );
      }
    },
  });
  const mirror = openMirror({
    store,
    prefix: HOSTS,
    ...(remembered === undefined ? {} : { known: remembered }),
    clock,
    onChanges: (changes, next) => {
      token = next;
      for (const { key, after } of changes) {
        const value = after === undefined ? undefined : parseHost(after.value);
        if (value === undefined && nameIn(key) === self) onSelfGone();
        if (after?.value === REMOVED_HOST) hosts.forget(nameIn(key));
        else if (value === undefined) hosts.vanished(nameIn(key));
        else hosts.put(nameIn(key), value);
      }
      save();
    },
    onLive: (isLive) => {
      hosts.setLive(isLive);
      onLive(isLive);
    },
  });
  return {
    hosts,
    mirror,
    held: () => held,
    silentSince: (hostId) => silentSince.get(hostId),
    close: () => {
      mirror.close();
      hosts.close();
    },
  };
}

const WORDS: Readonly<Record<HostState, string>> = {
  alive: 'a host of the cluster is there',
  gone: 'a host of the cluster has gone silent',
  held: 'a host of the cluster is missing, as many others are: its containers stay known',
  dead: 'a host of the cluster is dead: the way to its containers is taken away',
};

function tell(log: Log, id: string, host: KnownHost | undefined): void {
  if (host === undefined) {
    log.info({ host: id }, 'a host was removed from the cluster');
    return;
  }
  const fields = { host: id, name: host.value.name, address: host.value.vtep };
  if (host.state === 'alive') log.info(fields, WORDS.alive);
  else log.warn(fields, WORDS[host.state]);
}

function read(file: string): Remembered | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Remembered;
  } catch {
    return undefined;
  }
}

function write(file: string, remembered: Remembered): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, JSON.stringify(remembered), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
