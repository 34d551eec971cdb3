/** The store of a cluster on etcd: version 3 of its API, servers from 3.4 on. A revision is etcd's, and a token is one as well. */
import type {
  ClusterStore,
  StoredItem,
  StoreExpectation,
  StoreOperation,
  StoreSession,
  StoreSnapshot,
} from '../../../model/cluster-store.ts';
import { TsnetError } from '../../../model/error.ts';
import { checkKey, checkPrefix, checkTransaction, isDirectlyIn } from '../check-request.ts';
import { EtcdLink, type LinkRequest } from './link.ts';
import { EQUAL, MOD, RANGE, TXN } from './messages.ts';
import { EtcdSession } from './session.ts';
import { EtcdWatches } from './watches.ts';

export interface EtcdRequest extends LinkRequest {
  /** Before every key, "/tsnet/v1/". */
  readonly root: string;
}

/** Connects with the first call. */
export function openEtcd({ root, ...way }: EtcdRequest): ClusterStore {
  const link = new EtcdLink(way);
  const sessions = new Set<EtcdSession>();
  /** Revision of the last listing. */
  let newest: number | undefined;

  const list = async (prefix: string): Promise<StoreSnapshot> => {
    const key = root + prefix;
    const { header, kvs } = await link.ask(RANGE, { key, range_end: `${key.slice(0, -1)}0` }, `list ${prefix}`);
    newest = header?.revision ?? 0;
    const items = kvs.map((kv) => itemOf(root, kv)).filter((item) => isDirectlyIn(item.key, prefix));
    return { items, token: String(header?.revision ?? 0) };
  };
  const watches = new EtcdWatches(link, { root, list });

  return {
    get: async (key) => {
      checkKey(key);
      const { kvs } = await link.ask(RANGE, { key: root + key }, `get ${key}`);
      return kvs[0] === undefined ? undefined : itemOf(root, kvs[0]);
    },
    list: async (prefix) => {
      checkPrefix(prefix);
      return list(prefix);
    },
    transact: async (transaction) => {
      checkTransaction(transaction);
      const { expect, operations } = transaction;
      const request = {
        compare: expect.map((one) => comparison(root, one)),
        success: operations.map((one) => requestOf(root, one)),
      };
      const first = operations[0]?.key ?? 'nothing';
      const { header, succeeded } = await link.ask(TXN, request, `write ${first}`);
      return succeeded ? { ok: true, token: String(header?.revision ?? 0) } : { ok: false };
    },
    watch: (prefix, token, handlers) => {
      checkPrefix(prefix);
      return watches.add({ prefix, token, since: Number(token) === newest ? 'listing' : 'earlier', handlers });
    },
    openSession: async (ttlMs) => {
      const session = await EtcdSession.open(link, ttlMs);
      sessions.add(session);
      void session.lost.then(() => sessions.delete(session));
      return session;
    },
    status: () => link.status(),
    close: () => {
      for (const session of sessions) session.abandon();
      watches.close();
      link.close();
      return Promise.resolve();
    },
  };
}

function itemOf(
  root: string,
  { key, value, mod_revision }: { key: string; value: string; mod_revision: number },
): StoredItem {
  return { key: key.slice(root.length), value, revision: String(mod_revision) };
}

/** What is not there was modified at revision 0. */
function comparison(root: string, { key, revision }: StoreExpectation) {
  return { result: EQUAL, target: MOD, key: root + key, mod_revision: Number(revision ?? 0) };
}

function requestOf(root: string, operation: StoreOperation) {
  const key = root + operation.key;
  if (operation.kind === 'delete') return { request_delete_range: { key } };
  const { value, session } = operation;
  return { request_put: { key, value, ...(session === undefined ? {} : { lease: leaseOf(session) }) } };
}

function leaseOf(session: StoreSession): bigint {
  if (session instanceof EtcdSession) return session.lease;
  throw new TsnetError('INTERNAL', `cluster store: session ${session.id} is of another store`);
}
