/** A nameserver in this process, on a socket of any namespace. */
import { decode, encode, type Answer, type Packet } from 'dns-packet';
import { closeSync, openSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { openBoundSocket, portOf } from '../../src/kernel/internet-socket.ts';
import { inNetns } from '../../src/kernel/netns.ts';

export interface Asked {
  readonly name: string;
  readonly type: string;
  readonly transport: 'udp' | 'tcp';
  readonly from: string;
  readonly bytes: Buffer;
}

export interface Reply {
  readonly rcode?: number;
  readonly answers?: readonly Answer[];
  readonly authorities?: readonly Answer[];
  /** TC, and nothing else. */
  readonly truncated?: boolean;
  readonly delayMs?: number;
  /** Changes the message last. */
  readonly forge?: (message: Buffer) => Buffer;
}

/** Undefined: it does not answer. */
export type Behaviour = (asked: Asked) => Reply | undefined;

export interface Nameserver {
  /** "A www.example.org", in the order in which they came. */
  readonly asked: string[];
  readonly questions: Asked[];
  readonly port: number;
  behave: Behaviour;
  close(): Promise<void>;
}

export interface NameserverPlace {
  readonly address: string;
  /** 0: any. */
  readonly port?: number;
  /** Path of its namespace; absent: this one. */
  readonly netns?: string;
}

export async function startNameserver(place: NameserverPlace, behave: Behaviour): Promise<Nameserver> {
  const { address, port = 53, netns } = place;
  const [udpFile, tcpFile] = within(netns, () => {
    const file = openBoundSocket('udp', address, port);
    return [file, openBoundSocket('tcp', address, portOf(file))] as const;
  });
  const chosen = portOf(udpFile);
  const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const tcp = createServer();
  const connections = new Set<Socket>();
  const server: Nameserver = {
    asked: [],
    questions: [],
    port: chosen,
    behave,
    close: async () => {
      for (const connection of connections) connection.destroy();
      await Promise.all([
        new Promise<void>((resolve) => udp.close(resolve)),
        new Promise<void>((resolve) =>
          tcp.close(() => {
            resolve();
          }),
        ),
      ]);
    },
  };
  const answer = (bytes: Buffer, from: string, transport: 'udp' | 'tcp', send: (message: Buffer) => void): void => {
    const query = decode(bytes);
    const [question] = query.questions ?? [];
    if (question === undefined) return;
    const asked: Asked = { name: question.name, type: question.type, transport, from, bytes: Buffer.from(bytes) };
    server.asked.push(`${asked.type} ${asked.name}`);
    server.questions.push(asked);
    const reply = server.behave(asked);
    if (reply === undefined) return;
    const message = (reply.forge ?? ((same) => same))(messageOf(query, reply));
    if (reply.delayMs === undefined) send(message);
    else
      setTimeout(() => {
        send(message);
      }, reply.delayMs).unref();
  };
  udp.on('message', (bytes, peer) => {
    answer(bytes, peer.address, 'udp', (message) => {
      udp.send(message, peer.port, peer.address, () => undefined);
    });
  });
  tcp.on('connection', (connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    connection.on('error', () => connection.destroy());
    connection.on('data', (chunk) => {
      answer(chunk.subarray(2), connection.remoteAddress ?? '', 'tcp', (message) => {
        connection.write(Buffer.concat([Buffer.of(message.length >> 8, message.length & 255), message]));
      });
    });
  });
  await new Promise<void>((resolve) => udp.bind({ fd: udpFile, exclusive: true }, resolve));
  await new Promise<void>((resolve) => tcp.listen({ fd: tcpFile }, resolve));
  return server;
}

function messageOf(query: Packet, { rcode = 0, answers = [], authorities = [], truncated = false }: Reply): Buffer {
  return encode({
    type: 'response',
    id: query.id ?? 0,
    flags: 0x0180 | rcode | (truncated ? 0x0200 : 0),
    questions: query.questions ?? [],
    answers: [...answers],
    authorities: [...authorities],
  });
}

function within<T>(netns: string | undefined, act: () => T): T {
  if (netns === undefined) return act();
  const file = openSync(netns, 'r');
  try {
    return inNetns(file, act);
  } finally {
    closeSync(file);
  }
}

/** Answers any A question with one address, and says no to all else. */
export function knows(address: string, ttl = 300): Behaviour {
  return ({ name, type }) =>
    type === 'A' ? { answers: [{ type: 'A', name, ttl, data: address }] } : { authorities: [soa(name, ttl)] };
}

/** What tells for how long there is no such record. */
export function soa(name: string, minimum: number): Answer {
  const data = { mname: 'ns.test', rname: 'who.test', serial: 1, refresh: 1, retry: 1, expire: 1, minimum };
  return { type: 'SOA', name, ttl: minimum, data };
}
