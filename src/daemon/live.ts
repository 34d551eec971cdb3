/** What of the daemon a reload exchanges, configuration, kernel and engine, and the followers, which stay. */
import type { Engine } from '../engine/engine.ts';
import type { DaemonInfo } from '../engine/host-info.ts';
import type { Config } from '../model/config.ts';
import type { Ledger } from '../model/ledger.ts';
import { openLedger } from '../store/ledger.ts';
import type { ClusterPart } from './cluster/open-cluster.ts';
import { inspectingPeers } from './cluster/inspecting-peers.ts';
import { openDockerPlugin } from './docker-plugin.ts';
import { openEvents, type Events } from './events.ts';
import { followingEngine, type Follow } from './following-engine.ts';
import { contextOf, openGeneration, type Generation } from './generation.ts';
import type { Log } from './log.ts';
import { openMetrics, type Metrics } from './metrics.ts';
import { openFollowers } from './open-followers.ts';

export interface LiveRequest {
  readonly config: Config;
  readonly readConfig: () => Promise<Config>;
  readonly log: Log;
  readonly env: NodeJS.ProcessEnv;
}

export interface Live {
  readonly engine: () => Engine;
  readonly events: Events;
  readonly metrics: Metrics;
  /** Reads daemon.json again; what cannot change while it runs is named in the log. Never rejects. */
  readonly reload: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Not every change by another process is an event of the kernel. */
const LOOK_AGAIN_MS = 5000;
/** Every third look reads all there is, whoever changed something: what failed is tried again. */
const LOOKS_A_FULL_ONE = 3;
/** Events come in swarms, and our own changes cause some too. */
const DEBOUNCE_MS = 250;
/** Keys that name what is open, or who is there from the start. */
const FIXED_KEYS = ['dataRoot', 'execRoot', 'hosts', 'selfHeal', 'cluster', 'dockerPlugin'] as const;

export async function openLive({ config: first, readConfig, log, env }: LiveRequest): Promise<Live> {
  const startedAt = new Date().toISOString();
  const { ledger, changes } = countingChanges(openLedger({ dataRoot: first.dataRoot, execRoot: first.execRoot }));
  let cluster: ClusterPart | undefined;
  const metrics = openMetrics(ledger, () => cluster?.state());
  const events = openEvents({ ledger, now: () => Date.now(), log });

  /** Changes by other processes, so far; what clients of ours changed was followed by itself, sandbox by sandbox. */
  const foreignChanges = (): number => ledger.read((view) => view.revision()) - changes();
  let seen = NaN;
  const follow: Follow = async (only, wait = 'for-all') => {
    const before = foreignChanges();
    const followers = [events, ...parts.followers, ...(cluster === undefined ? [] : [cluster])];
    if (wait === 'for-all') followers.push(parts.names);
    await Promise.all(followers.map((follower) => follower.sync(only)));
    // When the answer is on its way: starting the program that leads names to us takes as long as the rest of an attach.
    if (wait === 'not-for-names') setImmediate(() => void parts.names.sync(only));
    if (only === undefined) seen = before;
  };
  /** Nobody waits for it, so that a ledger which cannot be read for a moment must not end the daemon. */
  const followInTime = async (isNeeded = (): boolean => true): Promise<void> => {
    try {
      if (isNeeded()) await follow();
    } catch (error) {
      log.error({ error }, 'cannot follow the ledger; it is tried again');
    }
  };
  const isForeign = (): boolean => foreignChanges() !== seen;
  let soon: NodeJS.Timeout | undefined;
  const followSoon = (): void => {
    soon ??= setTimeout(() => {
      soon = undefined;
      void followInTime(isForeign);
    }, DEBOUNCE_MS);
  };
  /** The daemon itself changed something, for no client. */
  const followOwn = (): void => {
    seen = NaN;
    followSoon();
  };
  const daemonInfo = (): DaemonInfo => ({
    pid: process.pid,
    startedAt,
    ...parts.state(),
    ...(cluster === undefined ? {} : { cluster: cluster.state() }),
  });
  const around = (engine: Engine): Engine =>
    metrics.timed({
      ...followingEngine(
        inspectingPeers(engine, () => cluster),
        follow,
      ),
      info: async () => ({ ...(await engine.info()), daemon: daemonInfo() }),
    });

  const generation = { around, cluster: () => cluster };
  let current: Generation = openGeneration(first, ledger, generation);
  const context = contextOf(() => current);
  if (first.cluster !== undefined) {
    const { joinCluster } = await import('./cluster/join-cluster.ts');
    cluster = await joinCluster({
      config: first.cluster,
      execRoot: first.execRoot,
      context,
      log,
      onNetworks: followOwn,
    });
  }
  const parts = await openFollowers({
    context,
    log,
    metrics,
    onForeignChange: followSoon,
    onOwnChange: followOwn,
    remote: {
      addressesOf: (networkId, name) => cluster?.named(networkId, name) ?? [],
      nameOf: (networkId, address) => cluster?.nameOf(networkId, address),
    },
  });
  // Makes bridge, host and none where they are not on record: nothing that a client did.
  await current.engine.listNetworks();
  await follow();
  let looks = 0;
  const timer = setInterval(() => {
    looks += 1;
    void followInTime(looks % LOOKS_A_FULL_ONE === 0 ? undefined : isForeign);
  }, LOOK_AGAIN_MS);
  const docker = first.dockerPlugin
    ? openDockerPlugin({ engine: () => current.docker, onChange: followOwn, env, log })
    : undefined;

  const reload = async (): Promise<void> => {
    try {
      const read = await readConfig();
      const fixed = FIXED_KEYS.filter((key) => JSON.stringify(read[key]) !== JSON.stringify(first[key]));
      if (fixed.length > 0) log.warn({ keys: fixed }, 'changed in daemon.json, but only a restart changes them');
      const kept = Object.fromEntries(FIXED_KEYS.map((key) => [key, first[key]]));
      const old = current;
      current = openGeneration({ ...read, ...kept }, ledger, generation);
      old.close().catch((error: unknown) => {
        log.warn({ error }, 'reload: what was open before does not close');
      });
      if (read.firewallBackend !== old.config.firewallBackend) await current.engine.repair();
      await follow();
      log.info({ file: read.file }, 'reloaded');
    } catch (error) {
      log.error({ error }, 'reload: the configuration stays as it was');
    }
  };
  return {
    engine: () => current.engine,
    events,
    metrics,
    reload,
    close: async () => {
      clearInterval(timer);
      await docker?.close();
      clearTimeout(soon);
      await parts.close();
      await cluster?.close();
      await events.close();
      await current.close();
      await ledger.close();
    },
  };
}

/**
 * How many changes of sandboxes and endpoints this process has made. Those of networks are few, and followed as if another process had
 * made them: by all.
 */
function countingChanges(ledger: Ledger): { readonly ledger: Ledger; readonly changes: () => number } {
  let count = 0;
  const change: Ledger['change'] = (make) => {
    const answer = ledger.change(make);
    count += 1;
    return answer;
  };
  return { ledger: { ...ledger, change }, changes: () => count };
}
