/** Checks the keys of daemon.json about a cluster, and makes one thing of them and of Docker's names for them. */
import { isAbsolute } from 'node:path';
import { parseClusterAdvertise, parseClusterStore, type ClusterStoreOptions } from '../model/cluster-address.ts';
import type { ClusterConfig } from '../model/config.ts';
import { TsnetError } from '../model/error.ts';
import type { JsonValue } from '../model/records.ts';
import type { ClusterStoreOpts, DaemonFile } from './daemon-file.ts';

/** Seconds: long enough for a store's restart, short enough that nobody waits for a dead host. */
const DEFAULT_TTL_SECONDS = 15;

/** etcd keeps no lease for less than two seconds. */
const SHORTEST_TTL_SECONDS = 2;

export interface CheckedCluster {
  readonly problems: readonly string[];
  readonly notices: readonly string[];
  /** Absent when there is no store, or there are problems. */
  readonly cluster?: ClusterConfig;
}

export function checkCluster(file: DaemonFile): CheckedCluster {
  const { 'cluster-store': store, 'cluster-store-opts': opts = {}, 'cluster-advertise': advertise } = file;
  if (store === undefined || store === '') {
    const idle = (['cluster-store-opts', 'cluster-advertise'] as const).filter((key) => file[key] !== undefined);
    return { problems: [], notices: idle.map((key) => `${key}: no effect without "cluster-store"`) };
  }
  const notices = opts['discovery.heartbeat'] === undefined ? [] : [HEARTBEAT_NOTICE];
  const problems = optionProblems(opts);
  try {
    const where = at('/cluster-store', () => parseClusterStore(store));
    const path = where.path === '' ? at('/cluster-store-opts', () => pathOf(opts)) : where.path;
    const place =
      advertise === undefined ? undefined : at('/cluster-advertise', () => parseClusterAdvertise(advertise));
    const cluster = {
      store: { ...where, path },
      storeOptions: storeOptions(opts),
      ttlSeconds: Number(opts.ttl ?? opts['discovery.ttl'] ?? DEFAULT_TTL_SECONDS),
      ...(place === undefined ? {} : { advertise: place }),
    };
    return problems.length > 0 ? { problems, notices } : { problems, notices, cluster };
  } catch (error) {
    if (!(error instanceof TsnetError)) throw error;
    return { problems: [...problems, error.message], notices };
  }
}

const HEARTBEAT_NOTICE =
  'cluster-store-opts: discovery.heartbeat: no effect: a sign of life is given every third of the time to live';

/** What may be shown of a key's value: all but the password. */
export function withoutSecret(key: string, value: JsonValue): JsonValue {
  if (key !== 'cluster-store-opts' || typeof value !== 'object' || value === null || !('password' in value))
    return value;
  return { ...value, password: '(hidden)' };
}

function optionProblems(opts: ClusterStoreOpts): string[] {
  const { ca, cert, key, user, password } = storeOptions(opts);
  const problems: string[] = [];
  const refuse = (why: string): unknown => problems.push(`/cluster-store-opts: ${why}`);
  if ((cert === undefined) !== (key === undefined)) refuse('"cert" and "key" go together');
  for (const path of [ca, cert, key]) {
    if (path !== undefined && !isAbsolute(path)) refuse(`"${path}": expected an absolute path`);
  }
  if (user !== undefined && password === undefined) refuse('"user" needs "password"');
  const ttl = opts.ttl ?? opts['discovery.ttl'];
  if (ttl !== undefined && Number(ttl) < SHORTEST_TTL_SECONDS) {
    refuse(`a time to live of ${ttl} s is too short; expected at least ${SHORTEST_TTL_SECONDS}`);
  }
  return problems;
}

function storeOptions(opts: ClusterStoreOpts): ClusterStoreOptions {
  const given = {
    ca: opts.ca ?? opts['kv.cacertfile'],
    cert: opts.cert ?? opts['kv.certfile'],
    key: opts.key ?? opts['kv.keyfile'],
    user: opts.user,
    password: opts.password,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== ''));
}

function pathOf(opts: ClusterStoreOpts): string {
  return parseClusterStore(`etcd://host/${opts['kv.path'] ?? ''}`).path;
}

function at<T>(pointer: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TsnetError)) throw error;
    throw new TsnetError('CONFIG', `${pointer}: ${error.message}`, { cause: error });
  }
}
