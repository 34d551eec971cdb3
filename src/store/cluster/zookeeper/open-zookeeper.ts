/**
 * The store of a cluster on ZooKeeper (3.5 and later). It costs more than etcd: a change of the names in a directory makes every host that
 * watches it read all of them, so networks of more than about 1,000 endpoints want etcd. Sessions that are not closed run out.
 */
import type { ClusterStore, StoredItem } from '../../../model/cluster-store.ts';
import { TsnetError } from '../../../model/error.ts';
import { checkKey, checkPrefix, checkTransaction } from '../check-request.ts';
import type { ZooConnection } from './connection.ts';
import { watchDirectory } from './directory-watch.ts';
import { ZooLink, type ZooLinkRequest } from './link.ts';
import { childrenOf, readNode } from './nodes.ts';
import { ZooSession } from './session.ts';
import { transact } from './transact.ts';

export interface ZooRequest extends ZooLinkRequest {
  /** Before every key, "/tsnet/v1/". */
  readonly root: string;
}

/** Connects with the first call. */
export function openZookeeper({ root, ...way }: ZooRequest): ClusterStore {
  const link = new ZooLink(way);
  const sessions = new Set<ZooSession>();
  /** What was listed last of each directory: whoever watches from there is told the difference, others everything. */
  const listed = new Map<string, { readonly token: string; readonly known: ReadonlyMap<string, string> }>();
  const store = Math.random().toString(36).slice(2);
  let tokens = 0;
  const nextToken = (): string => `${store}-${++tokens}`;

  const ask = async <T>(act: string, call: (connection: ZooConnection) => Promise<T>): Promise<T> => {
    try {
      return await call(await link.connect());
    } catch (error) {
      throw link.told(error, act);
    }
  };

  return {
    get: (key) => {
      checkKey(key);
      return ask(`get ${key}`, (connection) => readNode(connection, { root, key }));
    },
    list: async (prefix) => {
      checkPrefix(prefix);
      const items = await ask(`list ${prefix}`, async (connection) => {
        const names = (await childrenOf(connection, root + prefix.slice(0, -1))) ?? [];
        return Promise.all(names.map((name) => readNode(connection, { root, key: prefix + name })));
      });
      const found = items.filter((item): item is StoredItem => item !== undefined);
      const token = nextToken();
      listed.set(prefix, { token, known: new Map(found.map(({ key, revision }) => [key, revision])) });
      return { items: found, token };
    },
    transact: async (transaction) => {
      checkTransaction(transaction);
      const { operations } = transaction;
      const until = performance.now() + way.timeoutMs;
      const session = operations.flatMap((one) =>
        one.kind === 'put' && one.session !== undefined ? [one.session] : [],
      )[0];
      if (session !== undefined && !(session instanceof ZooSession)) {
        throw new TsnetError('INTERNAL', `cluster store: session ${session.id} is of another store`);
      }
      const ok = await ask(`write ${operations[0]?.key ?? 'nothing'}`, (connection) =>
        transact(session?.connection ?? connection, { root, transaction, until }),
      );
      return ok ? { ok, token: nextToken() } : { ok };
    },
    watch: (prefix, token, handlers) => {
      checkPrefix(prefix);
      const last = listed.get(prefix);
      const known = last?.token === token ? { known: last.known } : {};
      return watchDirectory(link, { root, prefix, handlers, tokenFor: nextToken, ...known });
    },
    openSession: async (ttlMs) => {
      const session = await ZooSession.open(link, ttlMs).catch((error: unknown) => {
        throw link.told(error, 'open a session');
      });
      sessions.add(session);
      void session.lost.then(() => sessions.delete(session));
      return session;
    },
    status: () => link.status(),
    close: () => {
      for (const session of sessions) session.abandon();
      link.close();
      return Promise.resolve();
    },
  };
}
