/** The sockets that requests come in by, and their end. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { TsnetError } from '../../model/error.ts';
import { clearSocket, protectSocket, type Listening } from '../listen.ts';

/** Longest time for a request to come in whole; a slower client is cut off. */
const REQUEST_MS = 30_000;
/** How long requests under way have when the daemon stops. */
const GRACE_MS = 10_000;
/** Connections at one time; each is a descriptor, and whoever has more is one client gone wrong. */
const MOST_CONNECTIONS = 512;
/** Nobody but root between bind and chmod. */
const PRIVATE_UMASK = 0o177;

export interface HttpServers {
  /** Takes no more requests, lets those under way finish, then cuts connections. */
  close(): Promise<void>;
}

/** @throws TsnetError CONFIG */
export async function openHttpServers(places: readonly Listening[], answer: RequestListener): Promise<HttpServers> {
  const servers: Server[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map(closeServer));
  };
  try {
    for (const place of places) {
      const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, answer);
      server.maxConnections = MOST_CONNECTIONS;
      servers.push(server);
      await listen(server, place);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

async function listen(server: Server, place: Listening): Promise<void> {
  if ('path' in place) clearSocket(place.path);
  const before = process.umask(PRIVATE_UMASK);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(place, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    const where = 'path' in place ? place.path : `file descriptor ${place.fd}`;
    throw new TsnetError('CONFIG', `listen at ${where}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  } finally {
    process.umask(before);
  }
  if ('path' in place) protectSocket(place.path);
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      server.closeAllConnections();
    }, GRACE_MS);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
