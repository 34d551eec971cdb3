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

export function attribute(type: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(aligned(HEADER_BYTES + payload.length));
  bytes.writeUInt16LE(HEADER_BYTES + payload.length, 0);
  bytes.writeUInt16LE(type, 2);
  payload.copy(bytes, HEADER_BYTES);
  return bytes;
}

export function nested(type: number, ...attributes: readonly Buffer[]): Buffer {
  return attribute(type | NESTED, Buffer.concat(attributes));
}

/** A string with its final zero byte. */
export function textAttribute(type: number, text: string): Buffer {
  return attribute(type, Buffer.from(`${text}\0`));
}

export function u8Attribute(type: number, value: number): Buffer {
  return attribute(type, Buffer.of(value));
}

export function u16Attribute(type: number, value: number): Buffer {
  const payload = Buffer.allocUnsafe(2);
  payload.writeUInt16LE(value, 0);
  return attribute(type, payload);
}

export function u32Attribute(type: number, value: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32LE(value >>> 0, 0);
  return attribute(type, payload);
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
