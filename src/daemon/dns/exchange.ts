/** One question to one nameserver, and its answer. */
import { randomInt } from 'node:crypto';
import type { Socket as DatagramSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import type { Family } from '../../model/records.ts';
import { isAnswerTo, isTruncated } from './message.ts';
import type { Server } from './upstream-health.ts';

/** From which namespace nameservers are asked. */
export interface UpstreamPlace {
  /** Tells this place from all others. */
  readonly key: string;
  /** A new socket, on a port that the kernel chose at random. */
  datagram(family: Family): DatagramSocket;
  stream(server: Server): Socket;
}

export interface Question {
  /** The whole message as it is sent, but for its id. */
  readonly bytes: Buffer;
  /** Where the question in it ends. */
  readonly end: number;
}

const TIMEOUT_MS = 2000;

/** Over UDP, and once more over TCP where the answer was cut. Rejects when there is none in time. */
export async function exchange(place: UpstreamPlace, server: Server, question: Question): Promise<Buffer> {
  const answer = await overUdp(place, server, question);
  if (!isTruncated(answer)) return answer;
  try {
    return await overTcp(place, server, question);
  } catch {
    // What fits is better than nothing: the asker sees that it was cut.
    return answer;
  }
}

/** Whoever would forge an answer has to guess this, the port, and the moment. */
function withFreshId({ bytes, end }: Question): Question {
  const copy = Buffer.from(bytes);
  copy.writeUInt16BE(randomInt(0x10000), 0);
  return { bytes: copy, end };
}

function overUdp(place: UpstreamPlace, server: Server, asked: Question): Promise<Buffer> {
  const question = withFreshId(asked);
  return new Promise((resolve, reject) => {
    const socket = place.datagram(server.address.includes(':') ? 6 : 4);
    const end = (act: () => void): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      // What still arrives for a closed socket is no news.
      socket.on('error', () => undefined);
      socket.close();
      act();
    };
    const timer = setTimeout(() => {
      end(() => {
        reject(new Error(`no answer from ${server.address}`));
      });
    }, TIMEOUT_MS);
    socket.on('error', (error) => {
      end(() => {
        reject(error);
      });
    });
    socket.on('message', (answer) => {
      if (!isAnswerTo(answer, question.bytes, question.end)) return;
      end(() => {
        resolve(answer);
      });
    });
    // Connected: the kernel lets nobody else's datagrams in, and tells when nobody listens there.
    // Without a route to it, the host being offline, it is this callback that is told, not the socket's listeners.
    socket.connect(server.port, server.address, (error?: Error) => {
      if (error === undefined) socket.send(question.bytes);
      else
        end(() => {
          reject(error);
        });
    });
  });
}

function overTcp(place: UpstreamPlace, server: Server, asked: Question): Promise<Buffer> {
  const question = withFreshId(asked);
  return new Promise((resolve, reject) => {
    const socket = place.stream(server);
    let received = Buffer.alloc(0);
    const end = (act: () => void): void => {
      socket.destroy();
      act();
    };
    const fail = (error: Error): void => {
      end(() => {
        reject(error);
      });
    };
    socket.setTimeout(TIMEOUT_MS, () => {
      fail(new Error(`no answer from ${server.address} over TCP`));
    });
    socket.on('error', fail);
    socket.on('close', () => {
      fail(new Error(`${server.address} closed the connection`));
    });
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2) return;
      const length = received.readUInt16BE(0);
      if (received.length < 2 + length) return;
      const answer = received.subarray(2, 2 + length);
      if (isAnswerTo(answer, question.bytes, question.end)) {
        end(() => {
          resolve(answer);
        });
      } else fail(new Error(`${server.address} answered another question`));
    });
    socket.write(frame(question.bytes));
  });
}

/** A message on a stream has its length before it (RFC 1035, 4.2.2). */
export function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length, 0);
  return Buffer.concat([length, message]);
}
