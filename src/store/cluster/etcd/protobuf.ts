/**
 * Protocol Buffers, as much of them as etcd's messages need (https://protobuf.dev/programming-guides/encoding/): a message is a table of its
 * fields, and the types of what is written and read follow from the table. Unknown fields are skipped.
 */

/** A field: its number, how it is written, and what it is when it is not there. */
export interface Field<Value> {
  readonly number: number;
  readonly wireType: 0 | 2;
  readonly isRepeated: boolean;
  readonly absent: () => Value;
  readonly write: (writer: Writer, value: never) => void;
  readonly read: (reader: Reader) => unknown;
}

export type Message = Readonly<Record<string, Field<unknown>>>;

/** What is read: every field, with its default where it was not sent. */
export type Decoded<M extends Message> = { readonly [K in keyof M]: M[K] extends Field<infer Value> ? Value : never };

type Loose<T> = T extends readonly (infer Item)[]
  ? readonly Loose<Item>[]
  : T extends object
    ? { readonly [K in keyof T]?: Loose<Exclude<T[K], undefined>> }
    : T;

/** What is written: the fields that are given, also where they have their default: inside a oneof that is another thing. */
export type Given<M extends Message> = Loose<Decoded<M>>;

export function text(number: number): Field<string> {
  return scalar(number, 2, {
    absent: '',
    write: (writer, value: string) => {
      writer.bytes(Buffer.from(value));
    },
    read: (reader) => reader.bytes().toString(),
  });
}

/** An integer that a number holds: a revision, a count, an enum. */
export function int(number: number): Field<number> {
  return scalar(number, 0, {
    absent: 0,
    write: (writer, value: number) => {
      writer.varint(BigInt(value));
    },
    read: (reader) => Number(BigInt.asIntN(64, reader.varint())),
  });
}

/** 64 bits that say nothing but which one: the ID of a lease. */
export function id(number: number): Field<bigint> {
  return scalar(number, 0, {
    absent: 0n,
    write: (writer, value: bigint) => {
      writer.varint(value);
    },
    read: (reader) => BigInt.asIntN(64, reader.varint()),
  });
}

export function flag(number: number): Field<boolean> {
  return scalar(number, 0, {
    absent: false,
    write: (writer, value: boolean) => {
      writer.varint(value ? 1n : 0n);
    },
    read: (reader) => reader.varint() !== 0n,
  });
}

export function one<M extends Message>(number: number, message: M): Field<Decoded<M> | undefined> {
  return { ...ofMessages(number, message), isRepeated: false, absent: () => undefined };
}

export function many<M extends Message>(number: number, message: M): Field<readonly Decoded<M>[]> {
  return { ...ofMessages(number, message), isRepeated: true, absent: () => [] };
}

export function encode<M extends Message>(message: M, given: Given<M>): Buffer {
  const writer = new Writer();
  for (const [name, field] of Object.entries(message)) {
    const value = (given as Readonly<Record<string, unknown>>)[name];
    if (value === undefined) continue;
    for (const item of field.isRepeated ? (value as readonly unknown[]) : [value]) {
      writer.varint(BigInt((field.number << 3) | field.wireType));
      field.write(writer, item as never);
    }
  }
  return writer.finish();
}

/** @throws Error for what is no message, or cut short */
export function decode<M extends Message>(message: M, encoded: Buffer): Decoded<M> {
  const values: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(message)) values[name] = field.absent();
  const byNumber = fieldsByNumber(message);
  const reader = new Reader(encoded);
  while (!reader.isAtEnd()) {
    const tag = Number(reader.varint());
    const [name, field] = byNumber.get(tag >> 3) ?? [];
    if (name === undefined || field === undefined || field.wireType !== (tag & 7)) reader.skip(tag & 7);
    else if (field.isRepeated) (values[name] as unknown[]).push(field.read(reader));
    else values[name] = field.read(reader);
  }
  return values as Decoded<M>;
}

const tables = new WeakMap<Message, Map<number, readonly [string, Field<unknown>]>>();

function fieldsByNumber(message: Message): Map<number, readonly [string, Field<unknown>]> {
  const known = tables.get(message);
  if (known !== undefined) return known;
  const table = new Map(Object.entries(message).map((entry) => [entry[1].number, entry] as const));
  tables.set(message, table);
  return table;
}

interface Scalar<Value> {
  readonly absent: Value;
  readonly write: (writer: Writer, value: Value) => void;
  readonly read: (reader: Reader) => Value;
}

function scalar<Value>(number: number, wireType: 0 | 2, { absent, write, read }: Scalar<Value>): Field<Value> {
  return { number, wireType, isRepeated: false, absent: () => absent, write, read };
}

function ofMessages(number: number, message: Message): Omit<Field<never>, 'isRepeated' | 'absent'> {
  return {
    number,
    wireType: 2,
    write: (writer: Writer, value: object) => {
      writer.bytes(encode(message, value));
    },
    read: (reader) => decode(message, reader.bytes()),
  };
}

class Writer {
  readonly #parts: Buffer[] = [];

  varint(value: bigint): void {
    const bytes: number[] = [];
    for (let rest = BigInt.asUintN(64, value); ; rest >>= 7n) {
      if (rest < 0x80n) {
        bytes.push(Number(rest));
        break;
      }
      bytes.push(Number(rest & 0x7fn) | 0x80);
    }
    this.#parts.push(Buffer.from(bytes));
  }

  bytes(value: Buffer): void {
    this.varint(BigInt(value.length));
    this.#parts.push(value);
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

class Reader {
  readonly #source: Buffer;
  #at = 0;

  constructor(source: Buffer) {
    this.#source = source;
  }

  isAtEnd(): boolean {
    return this.#at >= this.#source.length;
  }

  varint(): bigint {
    // Nearly all fit 28 bits; big integers are for the rest.
    let small = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      small |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt(small);
    }
    let value = BigInt(small);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new Error('an integer of more than ten bytes');
  }

  bytes(): Buffer {
    return this.#take(Number(this.varint()));
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.#take(8);
    else if (wireType === 2) this.bytes();
    else if (wireType === 5) this.#take(4);
    else throw new Error(`wire type ${wireType}`);
  }

  #byte(): number {
    const byte = this.#source[this.#at];
    if (byte === undefined) throw new Error('cut short');
    this.#at += 1;
    return byte;
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#source.length) throw new Error('cut short');
    const taken = this.#source.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}
