/**
 * A DNS message (RFC 1035) as bytes: as much of it as is needed to pass it on unread, with all that we know nothing of.
 *
 * Nothing here throws, whatever the bytes are.
 */

/** RFC 1035 and later: types and classes that we treat in a way of their own. */
export const TYPE = { A: 1, SOA: 6, PTR: 12, AAAA: 28, OPT: 41, IXFR: 251, AXFR: 252, ANY: 255 } as const;
export const CLASS_IN = 1;
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;

export const HEADER_BYTES = 12;
/** A message without EDNS has at most this many bytes over UDP. */
export const PLAIN_BYTES = 512;
/** What travels in one piece on every path; we ask for it, and answer no more than is asked. */
export const EDNS_BYTES = 1232;

export const FLAG = { QR: 0x8000, AA: 0x0400, TC: 0x0200, RD: 0x0100, RA: 0x0080, CD: 0x0010 } as const;
const OPCODE_BITS = 0x7800;
const DNSSEC_OK = 0x8000;
const LONGEST_NAME = 255;
const POINTER = 0xc0;

/** The OPT record of a query (RFC 6891). */
export interface Edns {
  /** Where the record's type starts; its name is one byte before. */
  readonly at: number;
  /** Bytes that the asker takes over UDP, at least 512. */
  readonly udpBytes: number;
  readonly dnssecOk: boolean;
  readonly hasOptions: boolean;
}

export interface Query {
  readonly bytes: Buffer;
  readonly id: number;
  readonly flags: number;
  /** As it was asked, "Web.example"; undefined when it has bytes that no host name has. */
  readonly name: string | undefined;
  readonly type: number;
  readonly class: number;
  /** Where the question ends. */
  readonly end: number;
  readonly edns?: Edns;
}

/** What can be made of a datagram: a query, or the code to refuse it with; undefined: nothing that deserves an answer. */
export type ReadQuery = Query | { readonly refuse: number } | undefined;

export function readQuery(bytes: Buffer): ReadQuery {
  if (bytes.length < HEADER_BYTES) return undefined;
  const flags = bytes.readUInt16BE(2);
  if ((flags & FLAG.QR) !== 0) return undefined;
  if ((flags & OPCODE_BITS) !== 0) return { refuse: RCODE.NOTIMP };
  const question = bytes.readUInt16BE(4) === 1 ? readQuestion(bytes) : undefined;
  if (question === undefined) return { refuse: RCODE.FORMERR };
  const records = readRecords(bytes, question.end);
  if (records === undefined) return { refuse: RCODE.FORMERR };
  const opt = records.find(({ type }) => type === TYPE.OPT);
  return {
    bytes,
    id: bytes.readUInt16BE(0),
    flags,
    ...question,
    ...(opt === undefined ? {} : { edns: readEdns(bytes, opt) }),
  };
}

/** The question of a message that has one; names in it are not compressed. */
function readQuestion(bytes: Buffer): Pick<Query, 'name' | 'type' | 'class' | 'end'> | undefined {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length >= 64 || at - HEADER_BYTES > LONGEST_NAME) return undefined;
    at += 1;
    if (length === 0) break;
    labels.push(bytes.toString('latin1', at, at + length));
    at += length;
  }
  if (at + 4 > bytes.length) return undefined;
  const isHostName = labels.every((label) => /^[A-Za-z0-9_*-]+$/.test(label));
  return {
    name: isHostName ? labels.join('.') : undefined,
    type: bytes.readUInt16BE(at),
    class: bytes.readUInt16BE(at + 2),
    end: at + 4,
  };
}

function readEdns(bytes: Buffer, { at, dataBytes }: ResourceRecord): Edns {
  return {
    at,
    udpBytes: Math.max(PLAIN_BYTES, bytes.readUInt16BE(at + 2)),
    dnssecOk: (bytes.readUInt16BE(at + 6) & DNSSEC_OK) !== 0,
    hasOptions: dataBytes > 0,
  };
}

/** A record behind the question: where its type starts, and what follows it. */
export interface ResourceRecord {
  readonly section: 'answer' | 'authority' | 'additional';
  readonly at: number;
  readonly type: number;
  /** Seconds; of OPT it means something else. */
  readonly ttl: number;
  readonly dataBytes: number;
}

/** A record's type, class, TTL and length, before its data. */
const FIXED_BYTES = 10;

/** The records behind the question that ends at `end`; undefined when they are cut off or garbled. */
export function readRecords(bytes: Buffer, end: number): ResourceRecord[] | undefined {
  const records: ResourceRecord[] = [];
  let at = end;
  for (const [section, countAt] of [
    ['answer', 6],
    ['authority', 8],
    ['additional', 10],
  ] as const) {
    for (let left = bytes.readUInt16BE(countAt); left > 0; left -= 1) {
      const start = skipName(bytes, at);
      if (start === undefined || start + FIXED_BYTES > bytes.length) return undefined;
      const dataBytes = bytes.readUInt16BE(start + 8);
      at = start + FIXED_BYTES + dataBytes;
      if (at > bytes.length) return undefined;
      records.push({
        section,
        at: start,
        type: bytes.readUInt16BE(start),
        ttl: bytes.readUInt32BE(start + 4),
        dataBytes,
      });
    }
  }
  return records;
}

/** A name ends with an empty label or with a pointer. */
function skipName(bytes: Buffer, start: number): number | undefined {
  for (let at = start; ;) {
    const length = bytes[at];
    if (length === undefined) return undefined;
    if (length === 0) return at + 1;
    if (length >= POINTER) return at + 2;
    if (length >= 64) return undefined;
    at += 1 + length;
  }
}

/** Whether a message answers a query: same id, same question to the letter. What comes from elsewhere is not heard at all. */
export function isAnswerTo(answer: Buffer, query: Buffer, end: number): boolean {
  if (answer.length < HEADER_BYTES || answer.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  if ((answer.readUInt16BE(2) & FLAG.QR) === 0) return false;
  // A server that makes nothing of a query may leave the question out.
  if (answer.readUInt16BE(4) === 0) return rcodeOf(answer) !== RCODE.NOERROR;
  return (
    answer.readUInt16BE(4) === 1 &&
    answer.length >= end &&
    answer.compare(query, HEADER_BYTES, end, HEADER_BYTES, end) === 0
  );
}

export function rcodeOf(message: Buffer): number {
  return message.readUInt16BE(2) & 0xf;
}

export function isTruncated(message: Buffer): boolean {
  return (message.readUInt16BE(2) & FLAG.TC) !== 0;
}

/** An answer of header and question alone; to what could not be read, the header. */
export function emptyAnswer(query: Buffer, end: number, flags: number): Buffer {
  const answer = Buffer.alloc(end);
  query.copy(answer, 0, 0, end);
  const asked = query.readUInt16BE(2) & (FLAG.RD | FLAG.CD | OPCODE_BITS);
  answer.writeUInt16BE(FLAG.QR | FLAG.RA | asked | flags, 2);
  answer.writeUInt16BE(end > HEADER_BYTES ? 1 : 0, 4);
  answer.fill(0, 6, HEADER_BYTES);
  return answer;
}

/** Bytes that the asker takes in one answer. */
export function roomFor(query: Query, transport: 'udp' | 'tcp'): number {
  return transport === 'tcp' ? 65_535 : (query.edns?.udpBytes ?? PLAIN_BYTES);
}
