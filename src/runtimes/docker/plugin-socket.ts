/** The socket that Docker finds us by. Root's alone: whoever reaches it rules this host's network. */
import { chmodSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import type { Server } from 'node:http';
import path from 'node:path';
import { TsnetError } from '../../model/error.ts';

const PRIVATE_UMASK = 0o177;

/** Takes the place of a socket that nobody listens at any more. @throws TsnetError CONFLICT where somebody does */
export async function listenAt(server: Server, file: string): Promise<void> {
  const act = `serve Docker at ${file}`;
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    const there = statSync(file, { throwIfNoEntry: false });
    if (there !== undefined && !there.isSocket()) {
      throw new TsnetError('CONFLICT', `${act}: there is a file of that name that is no socket; move it away`);
    }
    if (there !== undefined && (await isAnswered(file))) {
      throw new TsnetError(
        'CONFLICT',
        `${act}: another tsnet serves it already, as \`tsnet daemon\` does where Docker is`,
      );
    }
    rmSync(file, { force: true });
    await listen(server, file);
  } catch (cause) {
    if (cause instanceof TsnetError) throw cause;
    throw new TsnetError('RUNTIME', `${act}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

async function listen(server: Server, file: string): Promise<void> {
  const before = process.umask(PRIVATE_UMASK);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(file, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } finally {
    process.umask(before);
  }
  chmodSync(file, 0o600);
}

function isAnswered(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(file);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
