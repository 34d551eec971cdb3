/** The engine of a command: the daemon's if one answers at its socket, else one that acts in this process. */
import type { Engine } from '../engine/engine.ts';
import type { Config } from '../model/config.ts';
import { findDaemon } from './find-daemon.ts';

/** `insist`: a daemon was asked for by name, so that nobody else will do. */
export async function openEngine(config: Config, { insist }: { readonly insist: boolean }): Promise<Engine> {
  return (await findEngine(config, { insist })).engine;
}

/** The same, and whether it is a daemon's. */
export async function findEngine(
  config: Config,
  { insist }: { readonly insist: boolean },
): Promise<{ readonly engine: Engine; readonly isDaemon: boolean }> {
  const socket = await findDaemon(config.hosts, insist);
  const engine =
    socket === undefined
      ? (await import('./own-engine.ts')).ownEngine(config)
      : (await import('../client/remote-engine.ts')).remoteEngine(socket);
  return { engine, isDaemon: socket !== undefined };
}
