/** A segment with servers on it that answer as a test says, and a clock that moves when somebody waits. */
import type { Talk } from '../../../src/dhcp/question.ts';
import { ipv4Bytes } from '../../../src/dhcp/ipv4.ts';
import { decodeMessage, encodeMessage, OPTION, type DhcpMessage } from '../../../src/dhcp/message.ts';
import type { Envelope, Heard } from '../../../src/dhcp/segment.ts';

export const CLIENT = { mac: '0a:00:00:00:00:01', clientId: 'ff01020304', hostName: 'tv' } as const;
export const SERVER = '192.168.22.1';
export const SERVER_MAC = '02:00:00:00:00:99';

export interface Sent {
  readonly message: DhcpMessage;
  readonly envelope: Envelope;
  readonly atMs: number;
}

export type Answer = (sent: Sent) => readonly (Buffer | undefined)[];

/** A reply of the server to what was sent, with a lease of an hour. */
export function reply(
  { message }: Sent,
  type: 'offer' | 'ack' | 'nak',
  yourAddress: string,
  options: Readonly<Record<number, Buffer | undefined>> = {},
): Buffer {
  const given: Record<number, Buffer | undefined> = {
    [OPTION.server]: ipv4Bytes(SERVER),
    [OPTION.subnetMask]: ipv4Bytes('255.255.255.0'),
    [OPTION.router]: ipv4Bytes('192.168.22.1'),
    [OPTION.leaseTime]: seconds(3600),
    ...options,
  };
  return encodeMessage({
    ...message,
    from: 'server',
    type,
    yourAddress,
    options: new Map(
      Object.entries(given).flatMap(([code, value]) => (value === undefined ? [] : [[Number(code), value] as const])),
    ),
  });
}

export function seconds(count: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(count);
  return bytes;
}

export function stage(answer: Answer): { readonly talk: Talk; readonly sent: Sent[]; readonly now: () => number } {
  const sent: Sent[] = [];
  const inbox: Heard[] = [];
  let nowMs = 1_000_000;
  const now = (): number => nowMs;
  return {
    sent,
    now,
    talk: {
      client: CLIENT,
      now,
      ticks: now,
      timeoutMs: 12_000,
      segment: {
        send: (bytes, envelope) => {
          const one = { message: decodeMessage(bytes), envelope, atMs: nowMs };
          sent.push(one);
          for (const message of answer(one)) if (message) inbox.push({ message, fromMac: SERVER_MAC });
        },
        receive: (timeoutMs) => {
          const next = inbox.shift();
          nowMs += next === undefined ? timeoutMs : 1;
          return Promise.resolve(next);
        },
        close: () => undefined,
      },
    },
  };
}
