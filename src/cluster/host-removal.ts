/**
 * Takes away what a host has in the store: when a person says that it is gone for good, or when it has not come back for long. Nothing
 * is done to a host that is there, at any moment: every transaction says so.
 */
import { keysOfDockerHost } from './docker-hosts.ts';
import { holdingIn, type Holding } from './holdings.ts';
import { MAX_OPERATIONS, type ClusterStore, type StoredItem, type StoreSession } from '../model/cluster-store.ts';
import { TsnetError } from '../model/error.ts';
import { hostKey, networkOfHostKey, registrationKey } from './keys.ts';
import { itemsOfHost, networksOn } from './leftovers.ts';
import { nameKeysOfHost } from './told-names.ts';
import { REMOVED_HOST } from './values.ts';

type Store = Pick<ClusterStore, 'get' | 'list' | 'transact'>;

/**
 * Deletes all that a host has, its registration last, so that one who is interrupted finds the rest. `session` is that of whoever
 * removes it: as long as it lasts, others who come into touch hear that the host was removed.
 *
 * Answers what it had; undefined when it is there, or came back meanwhile. Rejects where the store cannot be asked.
 */
export async function removeHost(
  store: Store,
  hostId: string,
  session: StoreSession,
): Promise<readonly Holding[] | undefined> {
  const removed: Holding[] = [];
  for (const networkId of await networksOn(store, hostId)) {
    const items = await removeItems(store, networkId, hostId);
    if (items === undefined) return undefined;
    const rest = [...(await nameKeysOfHost(store, networkId, hostId)), networkOfHostKey(hostId, networkId)];
    if (!(await whileAway(store, hostId, rest))) return undefined;
    removed.push(holdingIn(networkId, items));
  }
  if (!(await whileAway(store, hostId, await keysOfDockerHost(store, hostId)))) return undefined;
  const answer = await store.transact({
    expect: [{ key: hostKey(hostId) }],
    operations: [
      { kind: 'delete', key: registrationKey(hostId) },
      { kind: 'put', key: hostKey(hostId), value: REMOVED_HOST, session },
    ],
  });
  return answer.ok || (await isAway(store, hostId)) ? removed : undefined;
}

/** Each try that fails was crossed by somebody who removes the same host, or who has an address of it already. */
const MOST_TRIES = 16;
/** Of the keys of a transaction one is the host's. */
const AT_ONCE = MAX_OPERATIONS - 1;

/** Endpoints and blocks, as long as they are this host's: an address may be another's since it was looked at. */
async function removeItems(store: Store, networkId: string, hostId: string): Promise<StoredItem[] | undefined> {
  const removed: StoredItem[] = [];
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const items = await itemsOfHost(store, networkId, hostId);
    let isWhole = true;
    for (let at = 0; at < items.length; at += AT_ONCE) {
      const some = items.slice(at, at + AT_ONCE);
      const answer = await store.transact({
        expect: [{ key: hostKey(hostId) }, ...some.map(({ key, revision }) => ({ key, revision }))],
        operations: some.map(({ key }) => ({ kind: 'delete', key })),
      });
      if (answer.ok) removed.push(...some);
      else if (!(await isAway(store, hostId))) return undefined;
      else isWhole = false;
    }
    if (isWhole) return removed;
  }
  throw new TsnetError('RUNTIME', `others change what host ${hostId} has all the time; try again`);
}

/** Deletes keys that nobody but this host writes. */
async function whileAway(store: Store, hostId: string, keys: readonly string[]): Promise<boolean> {
  for (let at = 0; at < keys.length; at += AT_ONCE) {
    const answer = await store.transact({
      expect: [{ key: hostKey(hostId) }],
      operations: keys.slice(at, at + AT_ONCE).map((key) => ({ kind: 'delete', key })),
    });
    if (!answer.ok && !(await isAway(store, hostId))) return false;
  }
  return true;
}

/** It is not there; somebody else may have removed it just now. */
async function isAway(store: Store, hostId: string): Promise<boolean> {
  const item = await store.get(hostKey(hostId));
  return item === undefined || item.value === REMOVED_HOST;
}
