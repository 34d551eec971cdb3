/**
 * The name service in one sandbox: the UDP and the TCP socket that are bound to 127.0.0.11 in it.
 */
import { closeSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import type { NameSockets } from '../../kernel/name-sockets.ts';
import { openAllowance } from './allowance.ts';
import type { Answer } from './answer.ts';
import { frame } from './exchange.ts';

const MOST_CONNECTIONS = 64;
/** Milliseconds that a connection may rest. */
const IDLE_MS = 10_000;
/** Answers that the other end has not read. */
const MOST_UNREAD_BYTES = 1 << 18;
/** Questions of one connection that are answered at a time. */
const MOST_AT_ONCE = 16;

export interface ListenerOptions {
  readonly sockets: NameSockets;
  readonly sandboxId: string;
  readonly answer: Answer;
  /** Milliseconds. */
  readonly now: () => number;
  /** A socket that broke: it has to be opened anew. */
  readonly onBroken: (error: Error) => void;
}

export interface Listener {
  /** Returns when nothing of it is open. */
  close(): Promise<void>;
}

/** Takes the files over, and closes them when it cannot. */
export async function listen({ sockets, sandboxId, answer, now, onBroken }: ListenerOptions): Promise<Listener> {
  const allowance = openAllowance(now);
  const udp = createSocket('udp4');
  const tcp = createServer();
  const connections = new Set<Socket>();

  udp.on('error', onBroken);
  tcp.on('error', onBroken);
  udp.on('message', (bytes, peer) => {
    if (!allowance.admit()) return;
    void answer({ sandboxId, bytes, transport: 'udp', allowance }).then((message) => {
      // A peer that has gone, or a full buffer: the resolver asks again.
      if (message !== undefined && isOpen) udp.send(message, peer.port, peer.address, () => undefined);
    });
  });
  tcp.maxConnections = MOST_CONNECTIONS;
  tcp.on('connection', (connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    serve(connection, (bytes) =>
      allowance.admit() ? answer({ sandboxId, bytes, transport: 'tcp', allowance }) : Promise.resolve(undefined),
    );
  });

  let isOpen = true;
  const close = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    for (const connection of connections) connection.destroy();
    await Promise.all([
      new Promise<void>((resolve) =>
        udp.close(() => {
          resolve();
        }),
      ),
      new Promise<void>((resolve) =>
        tcp.close(() => {
          resolve();
        }),
      ),
    ]);
  };
  try {
    await new Promise<void>((resolve) => udp.bind({ fd: sockets.udp, exclusive: true }, resolve));
  } catch (error) {
    closeSync(sockets.udp);
    closeSync(sockets.tcp);
    throw error;
  }
  await new Promise<void>((resolve) => tcp.listen({ fd: sockets.tcp }, resolve));
  return { close };
}

/** Answers the questions of a connection, each as soon as its answer is there (RFC 7766, 6.2.1.1). */
function serve(connection: Socket, answer: (bytes: Buffer) => Promise<Buffer | undefined>): void {
  let received = Buffer.alloc(0);
  let atOnce = 0;
  connection.setTimeout(IDLE_MS, () => connection.destroy());
  connection.on('error', () => connection.destroy());
  const next = (): void => {
    while (atOnce < MOST_AT_ONCE && received.length >= 2) {
      const length = received.readUInt16BE(0);
      if (received.length < 2 + length) return;
      const bytes = Buffer.from(received.subarray(2, 2 + length));
      received = received.subarray(2 + length);
      atOnce += 1;
      void answer(bytes).then((message) => {
        atOnce -= 1;
        if (message === undefined || connection.writableLength > MOST_UNREAD_BYTES) connection.destroy();
        if (connection.destroyed) return;
        if (message !== undefined) connection.write(frame(message));
        next();
        if (connection.isPaused() && atOnce < MOST_AT_ONCE) connection.resume();
      });
    }
    // Whoever asks faster than it is answered has to wait.
    if (atOnce >= MOST_AT_ONCE) connection.pause();
  };
  connection.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    next();
  });
}
