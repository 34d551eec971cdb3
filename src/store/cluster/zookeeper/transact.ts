/**
 * A transaction on ZooKeeper. Its multi cannot say "create or write" nor "must not be there", so the nodes are looked at first, and what
 * is sent holds only while they are as they were seen; when one was not, everything is looked at again.
 *
 * A node is known again by its count of writes alone. One that is removed and made anew and written as often, all between the look and the
 * transaction, is taken for the old one.
 */
import zookeeper, { type Stat, type Transaction } from 'node-zookeeper-client';
import type { StoreExpectation, StoreOperation, StoreTransaction } from '../../../model/cluster-store.ts';
import type { ZooConnection } from './connection.ts';
import { revisionOf, statOf } from './nodes.ts';
import { codeOf } from './zoo-error.ts';

const { NO_NODE, NODE_EXISTS, BAD_VERSION } = zookeeper.Exception;
const { EPHEMERAL, PERSISTENT } = zookeeper.CreateMode;
const NO_OWNER = '0'.repeat(16);

interface Seen {
  readonly stats: ReadonlyMap<string, Stat | undefined>;
  readonly root: string;
  readonly connection: ZooConnection;
}

/** Whether it was done. `until`: when to stop trying against others, milliseconds of the monotonic clock. */
export async function transact(
  connection: ZooConnection,
  {
    root,
    transaction,
    until,
  }: { readonly root: string; readonly transaction: StoreTransaction; readonly until: number },
): Promise<boolean> {
  const { expect, operations } = transaction;
  const keys = new Set([...expect, ...operations].map(({ key }) => key));
  for (;;) {
    const stats = new Map(
      await Promise.all([...keys].map(async (key) => [key, await statOf(connection, root + key)] as const)),
    );
    if (!expect.every((one) => holds(one, stats.get(one.key)))) return false;
    const multi = connection.begin();
    const seen: Seen = { stats, root, connection };
    for (const operation of operations) add(multi, operation, seen);
    guard(multi, transaction, seen);
    if (multi.ops.length === 0) return true;
    try {
      await connection.ask<unknown>((_, answer) => {
        multi.commit(answer);
      });
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (code !== NO_NODE && code !== NODE_EXISTS && code !== BAD_VERSION) throw error;
      if (performance.now() > until) throw error;
      if (code === NO_NODE)
        await makeDirectories(
          connection,
          operations.map(({ key }) => root + key),
        );
    }
  }
}

function holds({ revision }: StoreExpectation, stat: Stat | undefined): boolean {
  return revision === (stat === undefined ? undefined : revisionOf(stat));
}

function add(multi: Transaction, operation: StoreOperation, { stats, root, connection }: Seen): void {
  const path = root + operation.key;
  const stat = stats.get(operation.key);
  if (operation.kind === 'delete') {
    if (stat !== undefined) exactly(multi.remove(path, stat.version), stat.version);
    return;
  }
  const value = Buffer.from(operation.value);
  const owner = operation.session?.id ?? NO_OWNER;
  if (stat?.ephemeralOwner.toString('hex') === owner) {
    exactly(multi.setData(path, value, stat.version), stat.version);
    return;
  }
  // Whose node it is, is settled when it is made.
  if (stat !== undefined) exactly(multi.remove(path, stat.version), stat.version);
  multi.create(path, value, connection.acls, owner === NO_OWNER ? PERSISTENT : EPHEMERAL);
}

/** What is expected of keys that are not written. */
function guard(multi: Transaction, { expect, operations }: StoreTransaction, { stats, root, connection }: Seen): void {
  const written = new Set(
    operations.filter(({ kind, key }) => kind === 'put' || stats.get(key) !== undefined).map(({ key }) => key),
  );
  for (const { key } of expect) {
    if (written.has(key)) continue;
    const stat = stats.get(key);
    if (stat !== undefined) exactly(multi.check(root + key, stat.version), stat.version);
    // Absent: it can be made, and is unmade.
    else multi.create(root + key, Buffer.from('-'), connection.acls, PERSISTENT).remove(root + key, -1);
  }
}

/** The client takes version 0, that of a node never written since it was made, for "any": a lost write. */
function exactly(multi: Transaction, version: number): void {
  const last = multi.ops.at(-1);
  if (last !== undefined) last.version = version;
}

async function makeDirectories(connection: ZooConnection, paths: readonly string[]): Promise<void> {
  const directories = new Set(paths.map((path) => path.slice(0, path.lastIndexOf('/'))));
  await Promise.all(
    [...directories].map((directory) =>
      connection.ask<string>((client, answer) => {
        client.mkdirp(directory, connection.acls, answer);
      }),
    ),
  );
}
