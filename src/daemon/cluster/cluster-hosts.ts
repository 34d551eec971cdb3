/** The hosts of the cluster as a person sees them, and removing one that will not come back. */
import { holdingsByHost, holdingsOf, type Holding } from '../../cluster/holdings.ts';
import { removeHost } from '../../cluster/host-removal.ts';
import { nameIn, REGISTERED_HOSTS } from '../../cluster/keys.ts';
import { registeredName } from '../../cluster/values.ts';
import type { Cluster, ClusterHost, HostHolding, RemoveHostRequest } from '../../engine/cluster.ts';
import { elapsedText } from '../../model/elapsed.ts';
import { TsnetError } from '../../model/error.ts';
import type { ClusterStore, StoreSession } from '../../model/cluster-store.ts';
import type { Log } from '../log.ts';
import type { HostList } from './host-list.ts';
import { outOfTouch } from './touch.ts';

export interface ClusterHostsOptions {
  readonly store: ClusterStore;
  readonly self: string;
  readonly hostList: Pick<HostList, 'hosts' | 'mirror' | 'silentSince'>;
  readonly session: () => StoreSession | undefined;
  /** @throws TsnetError RUNTIME where this host is not in the cluster now */
  readonly beInTouch: () => void;
  /** What people call a network. */
  readonly networkName: (networkId: string) => string;
  readonly log: Log;
  /** Unix time in milliseconds. */
  readonly now: () => number;
}

type Known = Omit<ClusterHost, 'networks'>;

export function clusterHosts(options: ClusterHostsOptions): Pick<Cluster, 'hosts' | 'removeHost'> {
  const { store, self, hostList, session, beInTouch, networkName, log, now } = options;

  /** @throws TsnetError RUNTIME where what is known of who is alive may be old */
  const known = async (): Promise<Known[]> => {
    beInTouch();
    if (!hostList.mirror.isLive()) throw outOfTouch(store, 'it does not tell which hosts are there');
    const { items } = await store.list(REGISTERED_HOSTS);
    const names = new Map(items.map(({ key, value }) => [nameIn(key), registeredName(value)]));
    for (const [id, { value, state }] of hostList.hosts.all()) {
      // One that is dead and not registered was removed while this host was not told.
      if (state !== 'dead' || names.has(id)) names.set(id, value.name);
    }
    return [...names].map(([id, name]): Known => {
      const host = hostList.hosts.find(id);
      const silent = hostList.silentSince(id);
      return {
        id,
        name,
        ...(host === undefined ? {} : { address: host.value.vtep }),
        // Registered, and nobody here has seen it since this daemon began.
        state: id === self ? 'alive' : (host?.state ?? 'dead'),
        isSelf: id === self,
        ...(silent === undefined ? {} : { silentSince: new Date(silent).toISOString() }),
      };
    });
  };

  const shown = (holdings: readonly Holding[]): HostHolding[] =>
    holdings.map(({ networkId, addresses, blocks }) => ({
      network: networkName(networkId),
      addresses: addresses.length,
      blocks: blocks.map((block) => block.replace('-', '/')),
    }));

  return {
    hosts: async () => {
      const [hosts, holdings] = [await known(), await holdingsByHost(store)];
      return hosts.map((host) => ({ ...host, networks: shown(holdings.get(host.id) ?? []) }));
    },
    removeHost: async (request) => {
      const act = `remove host ${request.host}`;
      const host = chosen(await known(), request.host, act);
      refuse(host, request, { act, now: now() });
      const { id, name } = host;
      if (request.dryRun === true) return { id, name, networks: shown(await holdingsOf(store, id)) };
      const held = session();
      if (held === undefined) throw outOfTouch(store);
      const removed = await removeHost(store, id, held);
      if (removed === undefined)
        throw new TsnetError('FORBIDDEN', `${act}: it came back just now; nothing of it is gone for good`);
      hostList.hosts.forget(id);
      log.info({ host: id, name }, 'a host was removed from the cluster by hand');
      return { id, name, networks: shown(removed) };
    },
  };
}

/** @throws TsnetError NOT_FOUND, AMBIGUOUS */
function chosen(hosts: readonly Known[], wanted: string, act: string): Known {
  const matches = [
    hosts.filter(({ id }) => id === wanted),
    hosts.filter(({ name }) => name === wanted),
    hosts.filter(({ id }) => wanted !== '' && id.startsWith(wanted)),
  ].find((found) => found.length > 0);
  const [found, ...others] = matches ?? [];
  if (found === undefined) throw new TsnetError('NOT_FOUND', `${act}: no such host; \`tsnet cluster ls\` shows them`);
  if (others.length === 0) return found;
  const ids = [found, ...others].map(({ id, address, state }) => `${id} (${address ?? 'no address known'}, ${state})`);
  throw new TsnetError('AMBIGUOUS', `${act}: ${ids.length} hosts match: ${ids.join(', ')}; give the id`);
}

/** @throws TsnetError FORBIDDEN for a host that is there, or may be back before long */
function refuse(
  { state, isSelf, silentSince }: Known,
  { force }: RemoveHostRequest,
  { act, now }: { readonly act: string; readonly now: number },
): void {
  if (isSelf)
    throw new TsnetError('FORBIDDEN', `${act}: that is this host; stop its daemon and remove it from another`);
  if (state === 'alive') {
    throw new TsnetError(
      'FORBIDDEN',
      `${act}: it is alive; stop its daemon, and it can be removed once it is dead for the others`,
    );
  }
  if (state === 'dead' || force === true) return;
  const silent = silentSince === undefined ? 'a moment' : elapsedText(now - Date.parse(silentSince)).toLowerCase();
  throw new TsnetError(
    'FORBIDDEN',
    state === 'gone'
      ? `${act}: it has been silent for ${silent} and may be back; wait until it is dead, or add --force`
      : `${act}: it is missing together with many others, so that the store may be at fault; look there first, and add --force where the host itself is gone`,
  );
}
