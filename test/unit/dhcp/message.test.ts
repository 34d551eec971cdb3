import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { heardIn, clientFrame } from '../../../src/dhcp/frame.ts';
import { decodeMessage, encodeMessage, OPTION, type DhcpMessage } from '../../../src/dhcp/message.ts';
import { TsnetError } from '../../../src/model/error.ts';

const address = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((bytes) => bytes.join('.'));
const mac = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':'));
const code = fc.integer({ min: 1, max: 254 }).filter((one) => one !== OPTION.type && one !== OPTION.overload);
const bytes = (most: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength: most }).map((array) => Buffer.from(array));

const message: fc.Arbitrary<DhcpMessage> = fc.record({
  from: fc.constantFrom('client', 'server'),
  type: fc.constantFrom('discover', 'offer', 'request', 'decline', 'ack', 'nak', 'release', 'inform'),
  xid: fc.integer({ min: 0, max: 0xffffffff }),
  seconds: fc.nat(0xffff),
  broadcast: fc.boolean(),
  clientAddress: address,
  yourAddress: address,
  mac,
  options: fc.uniqueArray(fc.tuple(code, bytes(600)), { selector: ([one]) => one }).map((pairs) => new Map(pairs)),
});

/** Whether it is read, or refused in words. */
function isRead(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(TsnetError);
    return false;
  }
}

describe('a DHCP message', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(message, (written) => {
        expect(decodeMessage(encodeMessage(written))).toEqual(written);
      }),
    );
  });

  it('is refused in words, or read, whatever the bytes', () => {
    fc.assert(fc.property(bytes(700), (noise) => void isRead(() => decodeMessage(noise))));
    fc.assert(
      fc.property(
        message,
        fc.nat(),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
        (written, cut, flips) => {
          const damaged = encodeMessage(written);
          for (const [at, value] of flips) damaged[at % damaged.length] = value;
          isRead(() => decodeMessage(damaged.subarray(0, cut % (damaged.length + 1))));
        },
      ),
    );
  });

  it('has the 300 bytes that old relays expect, and the places of RFC 2131', () => {
    const written = encodeMessage({
      from: 'client',
      type: 'discover',
      xid: 0x01020304,
      seconds: 5,
      broadcast: true,
      clientAddress: '192.168.22.50',
      yourAddress: '0.0.0.0',
      mac: '0a:00:00:00:00:01',
      options: new Map([[OPTION.clientId, Buffer.from('ff01', 'hex')]]),
    });
    expect(written).toHaveLength(300);
    expect(written.toString('hex', 0, 16)).toBe('01010600' + '01020304' + '00058000' + 'c0a81632');
    expect(written.toString('hex', 28, 34)).toBe('0a0000000001');
    expect(written.toString('hex', 236, 248)).toBe('63825363' + '350101' + '3d02ff01' + 'ff');
  });

  it('has options in the fields of file and server name where it says so (option 52)', () => {
    const bare = encodeMessage({
      from: 'server',
      type: 'ack',
      xid: 1,
      seconds: 0,
      broadcast: false,
      clientAddress: '0.0.0.0',
      yourAddress: '192.168.22.50',
      mac: '0a:00:00:00:00:01',
      options: new Map(),
    });
    bare.set(Buffer.from('340103ff', 'hex'), 243);
    bare.set(Buffer.from('0104ffffff00ff', 'hex'), 108);
    bare.set(Buffer.from('0304c0a81601ff', 'hex'), 44);
    const { options } = decodeMessage(bare);
    expect(options.get(OPTION.subnetMask)?.toString('hex')).toBe('ffffff00');
    expect(options.get(OPTION.router)?.toString('hex')).toBe('c0a81601');
    bare.set(Buffer.from([0x03, 0xff]), 44);
    expect(() => decodeMessage(bare)).toThrow(/cut off/);
  });
});

describe('the frame of a message', () => {
  const ENVELOPE = { from: '192.168.22.50', to: '192.168.22.1', toMac: '02:00:00:00:00:01' };

  it('has sums that a host accepts', () => {
    const frame = clientFrame(Buffer.from('odd'), '0a:00:00:00:00:01', ENVELOPE);
    const sum = (data: Buffer): number => {
      let total = 0;
      for (let at = 0; at < data.length; at += 2) total += ((data[at] ?? 0) << 8) + (data[at + 1] ?? 0);
      while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
      return total;
    };
    expect(sum(frame.subarray(14, 34))).toBe(0xffff);
    const pseudo = Buffer.concat([frame.subarray(26, 34), Buffer.from([0, 17]), frame.subarray(38, 40)]);
    expect(sum(Buffer.concat([pseudo, frame.subarray(34)]))).toBe(0xffff);
  });

  it('is heard where it goes to a client, and never misread', () => {
    fc.assert(
      fc.property(bytes(600), (payload) => {
        const frame = clientFrame(payload, '0a:00:00:00:00:01', ENVELOPE);
        expect(heardIn(frame)).toBeUndefined();
        frame.writeUInt16BE(68, 36);
        expect(heardIn(Buffer.concat([frame, Buffer.alloc(9)]))).toEqual({
          message: payload,
          fromMac: '0a:00:00:00:00:01',
        });
        for (let cut = 0; cut < frame.length; cut += 1) expect(heardIn(frame.subarray(0, cut))).toBeUndefined();
      }),
      { numRuns: 30 },
    );
    fc.assert(fc.property(bytes(120), (noise) => void heardIn(noise)));
  });
});
