import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NetlinkSocket, type RawSocket } from '../../../src/kernel/netlink-socket.ts';

const NLM_F_MULTI = 0x2;
const NLM_F_DUMP_INTR = 0x10;
const NLMSG_DONE = 3;
const RTM_NEWLINK = 16;
const request = { type: 18, payload: Buffer.alloc(16) };

interface Sender {
  readonly port: number;
  readonly groups: number;
}

/** Plays the kernel: `answer` makes the datagrams that come back for a request. */
class FakeRaw implements RawSocket {
  readonly sent: number[] = [];
  #receive: (datagram: Buffer, from: Sender) => void = () => undefined;
  readonly #answer: (seq: number, count: number) => Buffer[];
  sender = 0;

  constructor(answer: (seq: number, count: number) => Buffer[]) {
    this.#answer = answer;
  }

  on(event: string, listener: unknown): never {
    if (event === 'message') this.#receive = listener as (datagram: Buffer, from: Sender) => void;
    return this as never;
  }

  send(datagram: Uint8Array | Uint8Array[]): void {
    const seq = Buffer.concat([datagram].flat()).readUInt32LE(8);
    this.sent.push(seq);
    const answers = this.#answer(seq, this.sent.length);
    queueMicrotask(() => {
      for (const answer of answers) this.#receive(answer, { port: this.sender, groups: 0 });
    });
  }

  ref(): void {}
  unref(): void {}
  close(): void {}
}

function message(type: number, flags: number, seq: number): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt32LE(20, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  bytes.writeUInt32LE(seq, 8);
  return bytes;
}

function dumpOf(seq: number, flags: number): Buffer[] {
  return [message(RTM_NEWLINK, NLM_F_MULTI | flags, seq), message(NLMSG_DONE, NLM_F_MULTI, seq)];
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test('a dump that was interrupted is read again', async () => {
  const raw = new FakeRaw((seq, count) => dumpOf(seq, count < 3 ? NLM_F_DUMP_INTR : 0));
  expect(await new NetlinkSocket('route', () => raw).dump(request)).toHaveLength(1);
  expect(raw.sent).toHaveLength(3);
});

test('a dump that is always interrupted ends in an error, never in half a table', async () => {
  const raw = new FakeRaw((seq) => dumpOf(seq, NLM_F_DUMP_INTR));
  await expect(new NetlinkSocket('route', () => raw).dump(request)).rejects.toMatchObject({ code: 'TIMEOUT' });
  expect(raw.sent.length).toBeLessThan(100);
});

test('a request that is never answered ends in a timeout', async () => {
  const socket = new NetlinkSocket('route', () => new FakeRaw(() => []));
  const waiting = expect(socket.batch([request])).rejects.toMatchObject({ code: 'TIMEOUT' });
  await vi.advanceTimersByTimeAsync(60_000);
  await waiting;
});

test('answers of other processes, and to nobody, are ignored', async () => {
  const raw = new FakeRaw((seq) => [message(NLMSG_DONE, 0, seq + 77), message(NLMSG_DONE, 0, seq)]);
  const socket = new NetlinkSocket('route', () => raw);
  expect(await socket.batch([request])).toEqual([{ replies: [], refusal: undefined }]);
  raw.sender = 4242;
  const waiting = expect(socket.batch([request])).rejects.toMatchObject({ code: 'TIMEOUT' });
  await vi.advanceTimersByTimeAsync(60_000);
  await waiting;
});
