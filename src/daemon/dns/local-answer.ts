/** Answers from the ledger as DNS messages, by npm `dns-packet`. */
import { encode, type Answer } from 'dns-packet';
import { EDNS_BYTES, emptyAnswer, FLAG, RCODE, roomFor, TYPE, type Query } from './message.ts';
import type { OwnName } from './own-names.ts';
import type { Rotate } from './rotation.ts';

/** Seconds. A container's address lives as long as the container: who keeps an answer for longer talks to its successor. */
const TTL_SECONDS = 5;

/** Behind the question, for askers that speak EDNS: the bytes of an OPT record that says what we take. */
function optRecord(): Buffer {
  const opt = Buffer.alloc(11);
  opt.writeUInt16BE(TYPE.OPT, 1);
  opt.writeUInt16BE(EDNS_BYTES, 3);
  return opt;
}

/** Header, question, and OPT where the asker sent one. */
export function bareAnswer(query: Query, flags: number): Buffer {
  const answer = emptyAnswer(query.bytes, query.end, flags);
  if (query.edns === undefined) return answer;
  answer.writeUInt16BE(1, 10);
  return Buffer.concat([answer, optRecord()]);
}

/** What fits into the asker's datagram; the TC bit sends it to TCP for the rest. */
function encodeWhatFits(query: Query, transport: 'udp' | 'tcp', answers: readonly Answer[]): Buffer {
  const room = roomFor(query, transport);
  const whole = encodeAnswers(query, answers, 0);
  if (whole.length <= room) return whole;
  for (let count = Math.floor((answers.length * room) / whole.length); count > 0; count -= 1) {
    const part = encodeAnswers(query, answers.slice(0, count), FLAG.TC);
    if (part.length <= room) return part;
  }
  return bareAnswer(query, FLAG.AA | FLAG.TC);
}

function encodeAnswers(query: Query, answers: readonly Answer[], flags: number): Buffer {
  const bare = bareAnswer(query, FLAG.AA | flags);
  const records = encode({ type: 'response', answers: [...answers] }).subarray(12);
  // The records go between the question and OPT.
  const message = Buffer.concat([bare.subarray(0, query.end), records, bare.subarray(query.end)]);
  message.writeUInt16BE(answers.length, 6);
  return message;
}

export interface LocalAnswerInput {
  readonly query: Query;
  readonly own: Exclude<OwnName, { readonly kind: 'foreign' }>;
  readonly transport: 'udp' | 'tcp';
  readonly rotate: Rotate;
}

export function localAnswer({ query, own, transport, rotate }: LocalAnswerInput): Buffer {
  const name = query.name ?? '';
  const common = { name, ttl: TTL_SECONDS, class: 'IN' } as const;
  switch (own.kind) {
    case 'unknown':
      return bareAnswer(query, FLAG.AA | RCODE.NXDOMAIN);
    case 'pointer':
      return query.type === TYPE.PTR || query.type === TYPE.ANY
        ? encodeWhatFits(query, transport, [{ ...common, type: 'PTR', data: own.name }])
        : bareAnswer(query, FLAG.AA);
    case 'addresses': {
      const inTurn = rotate(`${query.type} ${name.toLowerCase()}`, own.addresses);
      return encodeWhatFits(
        query,
        transport,
        inTurn.map((data): Answer => ({ ...common, type: data.includes(':') ? 'AAAA' : 'A', data })),
      );
    }
  }
}
