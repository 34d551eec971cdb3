/** A daemon on a host of the lab. */
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { TSNET, until, type Host } from './lab.ts';

export interface Daemon {
  readonly pid: number;
  readonly socket: string;
  /** Everything that it has written. */
  readonly log: () => string;
  /** Its exit status, or the signal that ended it. */
  readonly end: (signal: NodeJS.Signals) => Promise<number | NodeJS.Signals | null>;
}

/** Starts a daemon and waits until it says that it is ready. */
export async function startDaemon(
  host: Host,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Daemon> {
  // One process only, so that its pid is the daemon's: nsenter becomes node.
  const child = host.start(process.execPath, [TSNET, 'daemon', ...args], { env: { ...host.env, ...env } });
  const heard = listen(child);
  await until(() => {
    if (child.exitCode !== null) throw new Error(`the daemon ended: ${heard()}`);
    return heard().includes('"msg":"ready"') || /\bready\b/.test(heard());
  }, 15_000);
  const { pid } = child;
  if (pid === undefined) throw new Error('the daemon did not start');
  return {
    pid,
    socket: path.join(host.env['TSNET_EXEC_ROOT'] ?? '', 'tsnet.sock'),
    log: heard,
    end: (signal) =>
      new Promise((resolve) => {
        child.once('exit', (status, by) => {
          resolve(status ?? by);
        });
        child.kill(signal);
      }),
  };
}

function listen(child: ChildProcess): () => string {
  let heard = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (heard += data.toString()));
  return () => heard;
}
