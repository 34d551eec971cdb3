import { decode, encode } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  emptyAnswer,
  HEADER_BYTES,
  isAnswerTo,
  readQuery,
  readRecords,
  roomFor,
} from '../../../../src/daemon/dns/message.ts';
import { query, queryBytes } from './queries.ts';

const bytes = fc.uint8Array({ maxLength: 600 }).map((array) => Buffer.from(array));
/** A true query with some bytes changed, and cut or prolonged. */
const damaged = fc
  .tuple(
    fc.constantFrom('a', 'www.example.org', `${'x'.repeat(63)}.test`),
    fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 }),
    fc.nat(90),
  )
  .map(([name, changes, length]) => {
    const whole = Buffer.concat([queryBytes(name, { udpBytes: 1400 }), Buffer.alloc(20)]);
    for (const [at, value] of changes) whole[at % whole.length] = value;
    return whole.subarray(0, Math.max(1, length));
  });

describe('readQuery', () => {
  it('reads what dns-packet writes', () => {
    expect(query('Www.Example.org', { id: 99 })).toMatchObject({ id: 99, name: 'Www.Example.org', type: 1, class: 1 });
    expect(query('a', { type: 'AAAA', udpBytes: 1400 })).toMatchObject({
      type: 28,
      edns: { udpBytes: 1400, hasOptions: false },
    });
    expect(query('a', { udpBytes: 100 }).edns?.udpBytes).toBe(512);
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.oneof(bytes, damaged), (message) => {
        const read = readQuery(message);
        if (read === undefined || 'refuse' in read) return;
        expect(read.end).toBeLessThanOrEqual(message.length);
        expect(emptyAnswer(read.bytes, read.end, 3)).toHaveLength(read.end);
      }),
      { numRuns: 3000 },
    );
  });

  it('leaves answers unanswered, and refuses what is no question', () => {
    expect(readQuery(encode({ type: 'response', id: 1, questions: [{ type: 'A', name: 'a' }] }))).toBeUndefined();
    expect(readQuery(Buffer.alloc(HEADER_BYTES - 1))).toBeUndefined();
    expect(readQuery(Buffer.alloc(HEADER_BYTES))).toEqual({ refuse: 1 });
    const update = queryBytes('a');
    update.writeUInt16BE(5 << 11, 2);
    expect(readQuery(update)).toEqual({ refuse: 4 });
  });

  it('has no name for labels that no host name has, so that none is mistaken for ours', () => {
    // One label with a dot in it.
    const dotted = Buffer.concat([
      Buffer.from('000701000001000000000000', 'hex'),
      Buffer.from('\u0007db.shop\u0000', 'latin1'),
      Buffer.from('00010001', 'hex'),
    ]);
    expect(readQuery(dotted)).toMatchObject({ name: undefined });
  });
});

describe('readRecords', () => {
  it('never throws and never reads beyond the end', () => {
    fc.assert(
      fc.property(fc.oneof(bytes, damaged), fc.nat(100), (message, end) => {
        if (message.length < HEADER_BYTES) return;
        for (const { at, dataBytes } of readRecords(message, end) ?? []) {
          expect(at + 10 + dataBytes).toBeLessThanOrEqual(message.length);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('finds each record in its section', () => {
    const message = encode({
      type: 'response',
      id: 1,
      questions: [{ type: 'A', name: 'a.test' }],
      answers: [
        { type: 'CNAME', name: 'a.test', ttl: 5, data: 'b.test' },
        { type: 'A', name: 'b.test', ttl: 9, data: '192.0.2.1' },
      ],
      authorities: [{ type: 'NS', name: 'test', ttl: 7, data: 'ns.test' }],
    });
    const records = readRecords(message, query('a.test').end);
    expect(records?.map(({ section, type, ttl }) => [section, type, ttl])).toEqual([
      ['answer', 5, 5],
      ['answer', 1, 9],
      ['authority', 2, 7],
    ]);
  });
});

describe('isAnswerTo', () => {
  const asked = query('www.Example.org');
  const answer = (change: {
    id?: number;
    name?: string;
    type?: 'query' | 'response';
    rcode?: number;
    none?: true;
  }): Buffer =>
    encode({
      type: change.type ?? 'response',
      id: change.id ?? 7,
      flags: change.rcode ?? 0,
      questions: change.none === true ? [] : [{ type: 'A', name: change.name ?? 'www.Example.org' }],
    });
  it.each([
    ['the same question', {}, true],
    ['another id', { id: 8 }, false],
    ['another name', { name: 'www.Example.com' }, false],
    ['another spelling', { name: 'www.example.org' }, false],
    ['a question', { type: 'query' }, false],
    ['a refusal without a question', { none: true, rcode: 1 }, true],
    ['an answer without a question', { none: true }, false],
  ] as const)('%s', (_, change, is) => {
    expect(isAnswerTo(answer(change), asked.bytes, asked.end)).toBe(is);
  });
});

it('knows how much room an asker has', () => {
  expect(roomFor(query('a'), 'udp')).toBe(512);
  expect(roomFor(query('a', { udpBytes: 4000 }), 'udp')).toBe(4000);
  expect(roomFor(query('a'), 'tcp')).toBe(65_535);
  expect(decode(emptyAnswer(query('a').bytes, query('a').end, 3))).toMatchObject({ rcode: 'NXDOMAIN', id: 7 });
});
