/**
 * Netlink attributes as bytes: `struct nlattr` (length, type, payload padded to 4), numbers in the host's byte order.
 *
 * Source: include/uapi/linux/netlink.h. All machines that Node.js and the netlink package run on are little-endian.
 */

/** Set on the type of an attribute that holds attributes (NLA_F_NESTED). */
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;
const HEADER_BYTES = 4;

/** Attributes by type; of a repeated type the last one. */
export interface Attributes {
  readonly size: number;
  get(type: number): Buffer | undefined;
}

/** `length` rounded up to the next multiple of 4. */
export function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** Zeros, out of the pool of Node.js: a buffer of its own for a few bytes costs more than the bytes. */
export function blank(length: number): Buffer {
  return Buffer.allocUnsafe(length).fill(0);
}

/** An attribute with room for its payload. */
function opened(type: number, payloadBytes: number): Buffer {
  const bytes = blank(aligned(HEADER_BYTES + payloadBytes));
  bytes.writeUInt16LE(HEADER_BYTES + payloadBytes, 0);
  bytes.writeUInt16LE(type, 2);
  return bytes;
}

export function attribute(type: number, payload: Buffer): Buffer {
  const bytes = opened(type, payload.length);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

export function nested(type: number, ...attributes: readonly Buffer[]): Buffer {
  const bytes = opened(
    type | NESTED,
    attributes.reduce((sum, { length }) => sum + length, 0),
  );
  let at = HEADER_BYTES;
  for (const inner of attributes) {
    bytes.set(inner, at);
    at += inner.length;
  }
  return bytes;
}

/** A string with its final zero byte. */
export function textAttribute(type: number, text: string): Buffer {
  const bytes = opened(type, Buffer.byteLength(text) + 1);
  bytes.write(text, HEADER_BYTES);
  return bytes;
}

export function u8Attribute(type: number, value: number): Buffer {
  const bytes = opened(type, 1);
  bytes.writeUInt8(value, HEADER_BYTES);
  return bytes;
}

export function u16Attribute(type: number, value: number): Buffer {
  const bytes = opened(type, 2);
  bytes.writeUInt16LE(value, HEADER_BYTES);
  return bytes;
}

export function u32Attribute(type: number, value: number): Buffer {
  const bytes = opened(type, 4);
  bytes.writeUInt32LE(value >>> 0, HEADER_BYTES);
  return bytes;
}

/**
 * Reads the attributes in `bytes`; stops at the first that is cut short. A link has some fifty, of which nobody looks at more than
 * ten: each gets its Buffer when it is asked for.
 */
export function readAttributes(bytes: Buffer): Attributes {
  const places = new Map<number, { readonly at: number; readonly end: number }>();
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = bytes.readUInt16LE(at);
    if (length < HEADER_BYTES || at + length > bytes.length) break;
    places.set(bytes.readUInt16LE(at + 2) & TYPE_MASK, { at: at + HEADER_BYTES, end: at + length });
    at += aligned(length);
  }
  return {
    size: places.size,
    get: (type) => {
      const place = places.get(type);
      return place && bytes.subarray(place.at, place.end);
    },
  };
}

/** The first attribute of a type, for who needs no other. */
export function firstAttribute(bytes: Buffer, type: number): Buffer | undefined {
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = bytes.readUInt16LE(at);
    if (length < HEADER_BYTES || at + length > bytes.length) break;
    if ((bytes.readUInt16LE(at + 2) & TYPE_MASK) === type) return bytes.subarray(at + HEADER_BYTES, at + length);
    at += aligned(length);
  }
  return undefined;
}

/** The attributes nested in one; none if it is not there. */
export function nestedIn(attributes: Attributes, type: number): Attributes {
  return readAttributes(attributes.get(type) ?? Buffer.alloc(0));
}

export function textOf(attributes: Attributes, type: number): string | undefined {
  const payload = attributes.get(type);
  if (payload === undefined) return undefined;
  const end = payload.indexOf(0);
  return payload.toString('utf8', 0, end === -1 ? payload.length : end);
}

export function u8Of(attributes: Attributes, type: number): number | undefined {
  const payload = attributes.get(type);
  return payload === undefined || payload.length < 1 ? undefined : payload.readUInt8(0);
}

export function u16Of(attributes: Attributes, type: number): number | undefined {
  const payload = attributes.get(type);
  return payload === undefined || payload.length < 2 ? undefined : payload.readUInt16LE(0);
}

export function u32Of(attributes: Attributes, type: number): number | undefined {
  const payload = attributes.get(type);
  return payload === undefined || payload.length < 4 ? undefined : payload.readUInt32LE(0);
}
