/** What of the daemon a reload exchanges: configuration, kernel and engine; and the followers, which stay. */
import type { DaemonInfo, Engine } from '../engine/engine.ts';
import { makeEngine } from '../engine/make-engine.ts';
import type { Config } from '../model/config.ts';
import { openLedger } from '../store/ledger.ts';
import { openContext } from '../wiring/open-context.ts';
import { keepingFiles } from '../wiring/sandbox-files.ts';
import { openEvents, type Events } from './events.ts';
import type { Follower } from './follower.ts';
import { followingEngine } from './following-engine.ts';
import type { Log } from './log.ts';
import { openMetrics, type Metrics } from './metrics.ts';

export interface LiveRequest {
  readonly config: Config;
  readonly readConfig: () => Promise<Config>;
  readonly log: Log;
}

export interface Live {
  readonly engine: () => Engine;
  readonly events: Events;
  readonly metrics: Metrics;
  /** Reads daemon.json again; what cannot change while it runs is named in the log. Never rejects. */
  readonly reload: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Other processes change the ledger too, and not every change of theirs is an event of the kernel. */
const LOOK_AGAIN_MS = 5000;
/** Keys that name what is open. */
const FIXED_KEYS = ['dataRoot', 'execRoot', 'hosts'] as const;

interface Generation {
  readonly config: Config;
  readonly engine: Engine;
  readonly close: () => Promise<void>;
}

export async function openLive({ config: first, readConfig, log }: LiveRequest): Promise<Live> {
  const ledger = openLedger({ dataRoot: first.dataRoot, execRoot: first.execRoot });
  const metrics = openMetrics(ledger);
  const events = openEvents({ ledger, now: () => Date.now(), log });
  const self = { pid: process.pid, startedAt: new Date().toISOString() };
  const followers: Follower[] = [events];
  const follow = async (only?: ReadonlySet<string>): Promise<void> => {
    await Promise.all(followers.map((follower) => follower.sync(only)));
  };
  const generation = (config: Config): Generation => {
    const context = openContext(config, ledger);
    const engine = makeEngine({ ledger, config, openContext: () => Promise.resolve(context) });
    return {
      config,
      engine: introduced(metrics.timed(followingEngine(keepingFiles(engine, config.execRoot), follow)), self),
      close: () => context.kernel.close(),
    };
  };
  let current = generation(first);
  // Makes bridge, host and none where they are not on record: nothing that a client did.
  await current.engine.listNetworks();
  await follow();
  const timer = setInterval(() => void follow(), LOOK_AGAIN_MS);

  const reload = async (): Promise<void> => {
    try {
      const read = await readConfig();
      const fixed = FIXED_KEYS.filter((key) => JSON.stringify(read[key]) !== JSON.stringify(current.config[key]));
      if (fixed.length > 0) log.warn({ keys: fixed }, 'changed in daemon.json, but only a restart changes them');
      const kept = { dataRoot: first.dataRoot, execRoot: first.execRoot, hosts: first.hosts };
      current = generation({ ...read, ...kept });
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
      for (const follower of followers.toReversed()) await follower.close();
      await current.close();
      await ledger.close();
    },
  };
}

/** The same engine, whose `info` says who answers. */
function introduced(engine: Engine, daemon: DaemonInfo): Engine {
  return { ...engine, info: async () => ({ ...(await engine.info()), daemon }) };
}
