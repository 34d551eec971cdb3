/** Our codec and tables against etcd.proto, read by somebody else's codec. */
import fc from 'fast-check';
import path from 'node:path';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { MESSAGES } from '../../../../src/store/cluster/etcd/messages.ts';
import { decode, encode, type Given, type Message } from '../../../../src/store/cluster/etcd/protobuf.ts';

const proto = path.resolve(import.meta.dirname, '../../../../src/store/cluster/etcd/etcd.proto');
const root = new protobuf.Root().loadSync(proto, { keepCase: true });
root.resolveAll();
const { types } = protobuf;

/** What a message of this type may hold, in the shape of our codec. */
function given(type: protobuf.Type): fc.Arbitrary<object> {
  const fields = type.fieldsArray.map((field) => {
    field.resolve();
    const one = ofField(field);
    const value = field.repeated ? fc.array(one, { maxLength: 3 }) : one;
    return [field.name, value] as const;
  });
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] });
}

function ofField(field: protobuf.Field): fc.Arbitrary<unknown> {
  if (field.resolvedType instanceof protobuf.Type) return given(field.resolvedType);
  switch (field.type) {
    case 'bytes':
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: 200 });
    case 'bool':
      return fc.boolean();
    case 'int32':
      return fc.integer();
    default:
      return isId(field.name) ? fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) : fc.maxSafeInteger();
  }
}

const isId = (name: string): boolean => name === 'ID' || name === 'lease';

/** The same for protobufjs, which takes bytes as bytes and 64 bits as text. */
function foreign(type: protobuf.Type, value: unknown): Record<string, unknown> {
  const entries = Object.entries(value as object).map(([name, item]: [string, unknown]) => {
    const field = type.fields[name];
    if (field === undefined) throw new Error(`${type.name} has no ${name}`);
    const convert = (one: unknown): unknown => {
      if (field.resolvedType instanceof protobuf.Type) return foreign(field.resolvedType, one);
      if (field.type === 'bytes') return Buffer.from(String(one));
      return field.type === 'int64' ? String(one) : one;
    };
    return [name, Array.isArray(item) ? item.map(convert) : convert(item)];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

describe.each(Object.entries(MESSAGES))('%s', (name, table: Message) => {
  const type = root.lookupType(name);

  test('has the fields of etcd.proto, with their numbers', () => {
    const numbers = Object.fromEntries(Object.entries(table).map(([field, { number }]) => [field, number]));
    expect(numbers).toEqual(Object.fromEntries(type.fieldsArray.map((field) => [field.name, field.id])));
    for (const field of type.fieldsArray) {
      expect(table[field.name]?.isRepeated).toBe(field.repeated);
      const wireType = field.resolvedType === null ? types.basic[field.type as keyof typeof types.basic] : 2;
      expect(table[field.name]?.wireType).toBe(wireType);
    }
  });

  test('is read by others as it was written, and read as others write it', () => {
    fc.assert(
      fc.property(given(type), (value) => {
        const ours = encode(table, value as Given<Message>);
        const theirs = type.encode(type.fromObject(foreign(type, value))).finish();
        const options = { longs: String, bytes: String } as const;
        expect(type.toObject(type.decode(ours), options)).toEqual(type.toObject(type.decode(theirs), options));
        expect(decode(table, Buffer.from(theirs))).toEqual(decode(table, ours));
      }),
      { numRuns: 50 },
    );
  });
});

test('all messages of etcd.proto have a table', () => {
  const names = root.lookup('etcdserverpb') as protobuf.Namespace;
  const messages = names.nestedArray.filter((one) => one instanceof protobuf.Type).map((one) => one.name);
  expect(Object.keys(MESSAGES).sort()).toEqual(messages.sort());
});

test('fields that we do not know are skipped, and what is cut short is refused', () => {
  const { KeyValue } = MESSAGES;
  // create_revision (2) and lease (6) are sent by etcd.
  const sent = Buffer.from([0x10, 0xac, 0x02, 0x0a, 0x01, 0x61, 0x30, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x18, 0x05]);
  expect(decode(KeyValue, sent)).toEqual({ key: 'a', mod_revision: 5, value: '' });
  expect(() => decode(KeyValue, Buffer.from([0x0a, 0x05, 0x61]))).toThrow('cut short');
  expect(() => decode(KeyValue, Buffer.from([0x18, ...Buffer.alloc(10, 0xff), 0x01]))).toThrow('more than ten bytes');
});

test('a revision may be as large as a number holds, or negative', () => {
  const { ResponseHeader } = MESSAGES;
  for (const revision of [0, 1, 2 ** 31, Number.MAX_SAFE_INTEGER, -1]) {
    expect(decode(ResponseHeader, encode(ResponseHeader, { revision }))).toEqual({ revision });
  }
});
