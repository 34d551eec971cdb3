/**
 * This host's own keys of a network against its own record: a container that ended while the store was out of reach, or while there was
 * no daemon, has a key too many; one whose key somebody cleared away has one too few.
 */
import type { ClusterStore } from '../../model/cluster-store.ts';
import { endpointKey, networkOfHostKey, nameIn } from '../../cluster/keys.ts';
import { deleteUnchanged, itemsOfHost, ofHost } from '../../cluster/leftovers.ts';
import { nameKeysOfHost } from '../../cluster/told-names.ts';
import { parseEndpoint, type EndpointValue } from '../../cluster/values.ts';
import { DOCKER_HOLDER, namesOf } from '../../engine/cluster-addresses.ts';
import type { EngineContext } from '../../engine/context.ts';
import { withoutLength } from '../../model/address.ts';
import { macFromAddress } from '../../model/mac.ts';
import type { Log } from '../log.ts';
import type { Claims } from '../../cluster/claims.ts';
import type { Mirror } from '../../cluster/mirror.ts';
import type { Network } from '../../model/records.ts';

export interface OwnEndpointsOptions {
  readonly context: EngineContext;
  readonly store: ClusterStore;
  readonly self: string;
  readonly log: Log;
}

export interface OwnNetwork {
  readonly network: Network;
  readonly mirror: Mirror;
  readonly claims: Claims;
}

/** Rejects where the store cannot be asked. */
export async function reconcileOwn(
  { context, store, self, log }: OwnEndpointsOptions,
  { network, mirror, claims }: OwnNetwork,
): Promise<void> {
  const wanted = wantedKeys(context, network.id, self);
  const surplus = ofHost(mirror.items().values(), self).filter(({ item: { key }, value }) => {
    if (claims.underWay().has(nameIn(key))) return false;
    return wanted.get(key)?.value.id !== value.id;
  });
  const deleted = await deleteUnchanged(
    store,
    surplus.map(({ item }) => item),
  );
  if (deleted > 0)
    log.info({ network: network.name, addresses: deleted }, 'gave back addresses of containers that are gone');
  for (const [key, { value, isSettled }] of wanted) {
    const item = mirror.item(key);
    const text = JSON.stringify(value);
    if (item?.value === text || !isSettled) continue;
    const holder = item === undefined ? undefined : parseEndpoint(item.value);
    if (holder !== undefined && holder.host !== self) {
      log.error(
        { network: network.name, address: nameIn(key), holder: holder.names[0] ?? holder.id, host: holder.host },
        'a container of another host has the address of one of ours: disconnect one of them',
      );
      continue;
    }
    const revision = item === undefined || item.revision === '' ? {} : { revision: item.revision };
    await store.transact({
      expect: [{ key, ...revision }],
      operations: [
        { kind: 'put', key, value: text },
        { kind: 'put', key: networkOfHostKey(self, network.id), value: '{}' },
      ],
    });
  }
}

interface Wanted {
  readonly value: EndpointValue;
  /** Nobody is making or unmaking it. */
  readonly isSettled: boolean;
}

function wantedKeys({ ledger }: EngineContext, networkId: string, self: string): Map<string, Wanted> {
  return ledger.read((view) => {
    const ofEndpoints = view.endpointsOfNetwork(networkId).flatMap((endpoint) => {
      const { addresses, mac, sandboxId, aliases, state } = endpoint;
      const sandbox = view.sandbox(sandboxId);
      if (sandbox === undefined) return [];
      const value = { mac, host: self, id: sandboxId, names: namesOf(sandbox, aliases) };
      const isSettled = state !== 'attaching' && state !== 'detaching';
      return addresses.map(
        ({ address }) => [endpointKey(networkId, withoutLength(address)), { value, isSettled }] as const,
      );
    });
    const ofDocker = view
      .leases(networkId)
      .filter(({ holder }) => holder.kind === 'docker')
      .map(({ address }) => {
        const value = { mac: macFromAddress(address), host: self, id: DOCKER_HOLDER, names: [] };
        return [endpointKey(networkId, address), { value, isSettled: true }] as const;
      });
    return new Map<string, Wanted>([...ofEndpoints, ...ofDocker]);
  });
}

/** That this host has nothing there any more. */
export async function forgetHostNetwork(store: ClusterStore, self: string, networkId: string): Promise<void> {
  await store.transact({ expect: [], operations: [{ kind: 'delete', key: networkOfHostKey(self, networkId) }] });
}

/** Keys of ours in a network that this host has nothing in by its own record; nothing happens when that changes meanwhile. */
export async function clearNetwork(
  { store, self }: Pick<OwnEndpointsOptions, 'store' | 'self'>,
  networkId: string,
  isJoined: () => boolean,
): Promise<number> {
  const items = await itemsOfHost(store, networkId, self);
  const names = await nameKeysOfHost(store, networkId, self);
  if (isJoined()) return 0;
  const deleted = await deleteUnchanged(store, items);
  for (const key of names) await store.transact({ expect: [], operations: [{ kind: 'delete', key }] });
  await forgetHostNetwork(store, self, networkId);
  return deleted;
}
