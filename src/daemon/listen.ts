/** Where the daemon listens: a unix socket of its own, or one that a service manager handed over (sd_listen_fds(3)). */
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { TsnetError } from '../model/error.ts';
import { socketPath } from '../wiring/find-daemon.ts';

export type Listening = { readonly path: string } | { readonly fd: number };

/** Members may use the daemon without being root. */
const GROUP = 'tsnet';
const SOCKET_MODE = 0o660;
/** SD_LISTEN_FDS_START */
const FIRST_HANDED_FD = 3;

/** @throws TsnetError CONFIG for an address that the daemon does not listen at */
export function listeningOf(hosts: readonly string[], env: NodeJS.ProcessEnv): Listening[] {
  return hosts.map((host) => {
    const path = socketPath(host);
    if (path !== undefined) return { path };
    if (host.startsWith('fd://')) return { fd: handedOver(env) };
    throw new TsnetError(
      'CONFIG',
      `listen at ${host}: whoever reaches the daemon rules this host's network, so it takes unix:// and fd:// only; for another machine use \`ssh -L\``,
    );
  });
}

function handedOver(env: NodeJS.ProcessEnv): number {
  if (env['LISTEN_PID'] === String(process.pid) && Number(env['LISTEN_FDS']) > 0) return FIRST_HANDED_FD;
  throw new TsnetError('CONFIG', 'listen at fd://: no socket was handed over; start it by its systemd socket unit');
}

/** Makes room for a socket: its folder is there, and the file that a killed daemon left is not. Only the holder of the daemon's lock may. */
export function clearSocket(file: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  if (statSync(file, { throwIfNoEntry: false })?.isSocket() === false) {
    throw new TsnetError('CONFIG', `listen at ${file}: there is a file of that name that is no socket; move it away`);
  }
  rmSync(file, { force: true });
}

/** Root and the group, nobody else. */
export function protectSocket(file: string): void {
  const gid = groupId(GROUP);
  if (gid !== undefined) chownSync(file, 0, gid);
  chmodSync(file, SOCKET_MODE);
}

function groupId(name: string): number | undefined {
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`));
  return line === undefined ? undefined : Number(line.split(':')[2]);
}
