/**
 * Our keys as ZooKeeper's nodes. A key is a node with a value; a directory is a node without one, made when first written below and
 * never removed. A revision is who created the node and how often it was written since.
 */
import zookeeper, { type Stat, type Watcher } from 'node-zookeeper-client';
import type { StoredItem } from '../../../model/cluster-store.ts';
import type { ZooConnection } from './connection.ts';
import { codeOf } from './zoo-error.ts';

const { NO_NODE } = zookeeper.Exception;

export function revisionOf({ czxid, version }: Stat): string {
  return `${czxid.toString('hex')}.${version}`;
}

/** Undefined when there is no such node. */
export async function statOf(connection: ZooConnection, path: string, watcher?: Watcher): Promise<Stat | undefined> {
  const stat = await connection.ask<Stat | null>((client, answer) => {
    client.exists(path, watcher, answer);
  });
  return stat ?? undefined;
}

/** Undefined when there is no such key. */
export async function readNode(
  connection: ZooConnection,
  { root, key, watcher }: { readonly root: string; readonly key: string; readonly watcher?: Watcher },
): Promise<StoredItem | undefined> {
  const found = connection.ask<{ readonly data: Buffer | undefined; readonly stat: Stat }>((client, answer) => {
    client.getData(root + key, watcher, (error, data, stat) => {
      answer(error, { data, stat });
    });
  });
  const node = await orNothing(found);
  if (node === undefined || (node.data?.length ?? 0) === 0) return undefined;
  return { key, value: String(node.data), revision: revisionOf(node.stat) };
}

/** Names of the nodes in a directory; undefined when there is no such directory. */
export function childrenOf(connection: ZooConnection, path: string, watcher?: Watcher): Promise<string[] | undefined> {
  return orNothing(
    connection.ask<string[]>((client, answer) => {
      client.getChildren(path, watcher, answer);
    }),
  );
}

async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (codeOf(error) === NO_NODE) return undefined;
    throw error;
  }
}
