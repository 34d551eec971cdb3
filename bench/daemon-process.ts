/** A daemon of the built tsnet on the group's host. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { TSNET, type TsnetHost } from './tsnet-host.ts';

/** Where it listens. */
export const SOCKET = '/run/tsnet/tsnet.sock';
const START_SECONDS = 30;

/** Resolves when it listens. It ends with our pid namespace. */
export async function startDaemon(env: TsnetHost['env']): Promise<void> {
  const daemon = spawn(process.execPath, [TSNET, 'daemon'], { env, stdio: 'ignore' });
  const end = performance.now() + START_SECONDS * 1000;
  while (!existsSync(SOCKET)) {
    if (daemon.exitCode !== null || performance.now() > end) throw new Error('the daemon did not come up');
    await setTimeout(20);
  }
}
