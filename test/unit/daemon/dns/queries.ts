/** Queries and answers for tests. */
import { encode, type Answer, type RecordType } from 'dns-packet';
import { readQuery, type Query } from '../../../../src/daemon/dns/message.ts';

export interface QueryOptions {
  readonly type?: RecordType;
  readonly id?: number;
  /** Sends an OPT record that says so many bytes. */
  readonly udpBytes?: number;
}

export function queryBytes(name: string, { type = 'A', id = 7, udpBytes }: QueryOptions = {}): Buffer {
  const opt = {
    type: 'OPT' as const,
    name: '.',
    udpPayloadSize: udpBytes ?? 0,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  } satisfies Answer;
  return encode({
    type: 'query',
    id,
    flags: 0x0100,
    questions: [{ type, name }],
    ...(udpBytes === undefined ? {} : { additionals: [opt] }),
  });
}

export function query(name: string, options: QueryOptions = {}): Query {
  const read = readQuery(queryBytes(name, options));
  if (read === undefined || 'refuse' in read) throw new Error(`${name} is no query`);
  return read;
}
