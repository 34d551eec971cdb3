/**
 * The daemon from start to stop: one lock, one engine, the parts that follow the ledger, and the sockets.
 *
 * It is ready when it answers, and it answers when everything on record is followed. Stopping it stops nothing else: rules,
 * links and containers stay as they are.
 */
import path from 'node:path';
import { lockDaemon } from '../kernel/daemon-lock.ts';
import { tellServiceManager, watchdogMs } from '../kernel/service-manager.ts';
import type { Config } from '../model/config.ts';
import { VERSION } from '../wiring/version.ts';
import { openHttpServers } from './http/http-servers.ts';
import { buildServer } from './http/server.ts';
import { listeningOf } from './listen.ts';
import { openLive } from './live.ts';
import { openLog, type Log, type LogFormat } from './log.ts';

export interface DaemonRequest {
  readonly readConfig: () => Promise<Config>;
  readonly logFormat: LogFormat;
  readonly writeLog: (text: string) => void;
  readonly env: NodeJS.ProcessEnv;
}

/** Resolves when the daemon has been told to stop and has stopped. @throws TsnetError where it cannot start */
export async function runDaemon({ readConfig, logFormat, writeLog, env }: DaemonRequest): Promise<void> {
  const config = await readConfig();
  const log = openLog(logFormat, writeLog);
  const places = listeningOf(config.hosts, env);
  const unlock = lockDaemon(path.join(config.execRoot, 'daemon.lock'));
  const live = await openLive({ config, readConfig, log, env });
  const app = await buildServer({ ...live, log, version: VERSION });
  const servers = await openHttpServers(places, (request, response) => {
    app.routing(request, response);
  });
  const { dataRoot, execRoot, hosts } = config;
  log.info({ version: VERSION, hosts, dataRoot, execRoot }, 'ready');
  const manager = serviceManager(env);
  manager.tell(`READY=1\nSTATUS=serving ${hosts.join(', ')}`);

  const reload = (): void => {
    manager.tell(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    void live.reload().then(() => {
      manager.tell('READY=1');
    });
  };
  process.on('SIGHUP', reload);
  await toldToStop(log);
  process.off('SIGHUP', reload);
  manager.tell('STOPPING=1');
  // Streams of events would never end by themselves.
  await live.events.close();
  await servers.close();
  await app.close();
  await live.close();
  manager.close();
  unlock();
}

interface ServiceManager {
  tell(state: string): void;
  close(): void;
}

/** Told in turn that we live, where it wants to know: a daemon that hangs is started anew. */
function serviceManager(env: NodeJS.ProcessEnv): ServiceManager {
  const tell = (state: string): void => {
    tellServiceManager(env, state);
  };
  const every = watchdogMs(env);
  const timer = every === undefined ? undefined : setInterval(tell, every, 'WATCHDOG=1');
  return {
    tell,
    close: () => {
      clearInterval(timer);
    },
  };
}

function toldToStop(log: Log): Promise<void> {
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals): void => {
      log.info({ signal }, 'stopping');
      process.off('SIGTERM', stop).off('SIGINT', stop);
      resolve();
    };
    process.on('SIGTERM', stop).on('SIGINT', stop);
  });
}
