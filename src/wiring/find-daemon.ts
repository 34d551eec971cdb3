/** Whether a daemon answers, and where. */
import { existsSync } from 'node:fs';
import { TsnetError } from '../model/error.ts';

/** Path of the first socket that somebody listens at; undefined where there is none. @throws TsnetError PERMISSION, RUNTIME, INVALID */
export async function findDaemon(hosts: readonly string[], insist: boolean): Promise<string | undefined> {
  const refusals: string[] = [];
  for (const host of hosts) {
    const socket = socketPath(host);
    if (socket === undefined) continue;
    const code = await refusal(socket);
    if (code === undefined) return socket;
    if (code === 'EACCES' || code === 'EPERM') {
      throw new TsnetError(
        'PERMISSION',
        `ask the daemon at ${socket}: permission denied; be root, or a member of the group that owns the socket`,
      );
    }
    refusals.push(`${socket}: ${code === 'ENOENT' ? 'no such socket' : 'nobody listens there'}`);
  }
  if (!insist) return undefined;
  const tried = refusals.length > 0 ? refusals.join('; ') : `${hosts.join(', ')} is not a unix:// address`;
  throw new TsnetError('RUNTIME', `ask the daemon: ${tried}; start it with \`tsnet daemon\`, or leave -H away`);
}

/** The path behind unix://; a file descriptor that was handed over (fd://) is for the daemon alone. */
export function socketPath(host: string): string | undefined {
  return host.startsWith('unix://') ? host.slice('unix://'.length) : undefined;
}

/** Why nobody can be reached there: the code of the system; undefined when somebody can. */
async function refusal(socket: string): Promise<string | undefined> {
  // Mostly there is no daemon: then nothing of the network is loaded.
  if (!existsSync(socket)) return 'ENOENT';
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(undefined);
    });
    connection.once('error', ({ code }: NodeJS.ErrnoException) => {
      resolve(code ?? 'ECONNREFUSED');
    });
  });
}
