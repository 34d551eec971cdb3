import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  attribute,
  nested,
  nestedIn,
  readAttributes,
  textAttribute,
  textOf,
  u32Attribute,
  u32Of,
  u8Attribute,
  u8Of,
} from '../../../src/kernel/netlink-attribute.ts';
import { decodeAnswers, encodeRequests } from '../../../src/kernel/netlink-message.ts';

/** A message of the kernel. */
function message(type: number, flags: number, seq: number, payload: Buffer): Buffer {
  const bytes = encodeRequests([{ type, payload }], seq);
  bytes.writeUInt16LE(flags, 6);
  return bytes;
}

function errorPayload(errno: number, ...rest: readonly Buffer[]): Buffer {
  const code = Buffer.alloc(4);
  code.writeInt32LE(-errno, 0);
  return Buffer.concat([code, ...rest]);
}

describe('attributes', () => {
  test('are padded to four bytes and read back', () => {
    const bytes = Buffer.concat([
      textAttribute(3, 'eth0'),
      u32Attribute(4, 1500),
      u8Attribute(5, 7),
      nested(18, textAttribute(1, 'bridge')),
    ]);
    expect(bytes.length % 4).toBe(0);
    const read = readAttributes(bytes);
    expect([textOf(read, 3), u32Of(read, 4), u8Of(read, 5), textOf(nestedIn(read, 18), 1)]).toEqual([
      'eth0',
      1500,
      7,
      'bridge',
    ]);
    expect([textOf(read, 99), u32Of(read, 99), u8Of(read, 99), nestedIn(read, 99).size]).toEqual([
      undefined,
      undefined,
      undefined,
      0,
    ]);
  });

  test('of any payload survive', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), (payloads) => {
        const bytes = Buffer.concat(payloads.map((payload, index) => attribute(index + 1, Buffer.from(payload))));
        const read = readAttributes(bytes);
        payloads.forEach((payload, index) => {
          expect(read.get(index + 1)).toEqual(Buffer.from(payload));
        });
      }),
    );
  });

  test('that are garbage are read without an exception', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => readAttributes(Buffer.from(bytes)).size >= 0));
  });
});

describe('messages', () => {
  test('that are garbage are decoded without an exception: they come in inside a native callback', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => Array.isArray(decodeAnswers(Buffer.from(bytes)))));
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 65535 }),
        fc.integer({ min: 0, max: 65535 }),
        fc.uint8Array(),
        (type, flags, payload) => Array.isArray(decodeAnswers(message(type, flags, 1, Buffer.from(payload)))),
      ),
    );
  });

  test('of one datagram are told apart by sequence number', () => {
    const datagram = Buffer.concat([message(16, 2, 7, Buffer.of(1, 2, 3)), message(2, 0, 8, errorPayload(0))]);
    expect(decodeAnswers(datagram)).toEqual([
      { seq: 7, end: false, interrupted: false, payload: Buffer.of(1, 2, 3) },
      { seq: 8, end: true, interrupted: false, errno: 0, explanation: undefined },
    ]);
  });

  test.each([
    ['the header alone, when capped', 0x300, encodeRequests([{ type: 16, payload: Buffer.alloc(0) }], 1)],
    ['the whole request', 0x200, encodeRequests([{ type: 16, payload: Buffer.alloc(24) }], 1)],
  ])("of an error carry the kernel's words behind %s", (_, flags, original) => {
    const [answer] = decodeAnswers(message(2, flags, 1, errorPayload(22, original, textAttribute(1, 'bad mtu'))));
    expect(answer).toMatchObject({ end: true, errno: 22, explanation: 'bad mtu' });
  });

  test('of an interrupted dump say so, and its end may carry an error', () => {
    const [part, end] = decodeAnswers(
      Buffer.concat([message(16, 0x12, 1, Buffer.alloc(4)), message(3, 0x2, 1, errorPayload(2))]),
    );
    expect(part).toMatchObject({ end: false, interrupted: true });
    expect(end).toMatchObject({ end: true, errno: 2 });
  });
});
