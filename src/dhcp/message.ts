/**
 * DHCP messages (RFC 2131, options of RFC 2132) between bytes and data.
 *
 *     op htype hlen hops | xid | secs flags | ciaddr | yiaddr | siaddr | giaddr | chaddr 16 | sname 64 | file 128 | cookie | options
 *
 * Of our own: those of the npm registry are parts of servers and clients with sockets of their own, and the codec of `dhcp`
 * (0.2.20) ends a cut-off option with a RangeError of Buffer and reads one whose length lies as if it were whole. This one either
 * reads a message or throws TsnetError INVALID.
 */
import { TsnetError } from '../model/error.ts';
import { formatMac, macBytes } from '../model/mac.ts';
import { ipv4Bytes, ipv4Text } from './ipv4.ts';

/** Option 53, from 1 on. */
const TYPES = ['discover', 'offer', 'request', 'decline', 'ack', 'nak', 'release', 'inform'] as const;
export type MessageType = (typeof TYPES)[number];

export interface DhcpMessage {
  readonly from: 'client' | 'server';
  readonly type: MessageType;
  /** Tells one conversation from another; 32 bits. */
  readonly xid: number;
  /** Since the client began, as it says; 16 bits. */
  readonly seconds: number;
  /** The client cannot receive what is sent to its address yet. */
  readonly broadcast: boolean;
  /** ciaddr: the address that the client has; "0.0.0.0": none. */
  readonly clientAddress: string;
  /** yiaddr: the address that the server gives. */
  readonly yourAddress: string;
  /** chaddr */
  readonly mac: string;
  /** By number; the type (53) left out. An option that came in parts is one. */
  readonly options: ReadonlyMap<number, Buffer>;
}

/** Numbers of options (RFC 2132; 61 also RFC 4361). */
export const OPTION = {
  subnetMask: 1,
  router: 3,
  domainServer: 6,
  hostName: 12,
  domainName: 15,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  type: 53,
  server: 54,
  parameters: 55,
  message: 56,
  largestMessage: 57,
  renewalTime: 58,
  rebindingTime: 59,
  clientId: 61,
} as const;

const PAD = 0;
const END = 255;
const COOKIE = 0x63825363;
const CHADDR = 28;
const SNAME = 44;
const FILE = 108;
const OPTIONS_AT = 240;
const ETHERNET = 1;
const MAC_BYTES = 6;
const BROADCAST = 0x8000;
/** BOOTP's messages had this size, and some relays drop shorter ones (RFC 1542, 2.1). */
const LEAST_BYTES = 300;
const MOST_OPTION_BYTES = 255;

export function encodeMessage(message: DhcpMessage): Buffer {
  const head = Buffer.alloc(OPTIONS_AT);
  head.writeUInt8(message.from === 'client' ? 1 : 2, 0);
  head.writeUInt8(ETHERNET, 1);
  head.writeUInt8(MAC_BYTES, 2);
  head.writeUInt32BE(message.xid, 4);
  head.writeUInt16BE(message.seconds, 8);
  head.writeUInt16BE(message.broadcast ? BROADCAST : 0, 10);
  ipv4Bytes(message.clientAddress).copy(head, 12);
  ipv4Bytes(message.yourAddress).copy(head, 16);
  head.set(macBytes(message.mac), CHADDR);
  head.writeUInt32BE(COOKIE, OPTIONS_AT - 4);
  const options = [...message.options].filter(([code]) => code !== OPTION.type && code !== OPTION.overload);
  const bytes = Buffer.concat([
    head,
    Buffer.from([OPTION.type, 1, TYPES.indexOf(message.type) + 1]),
    ...options.flatMap(([code, value]) => parts(code, value)),
    Buffer.from([END]),
  ]);
  return bytes.length >= LEAST_BYTES ? bytes : Buffer.concat([bytes], LEAST_BYTES);
}

/** One that is longer than a length byte can say goes in parts (RFC 3396). */
function parts(code: number, value: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at === 0 || at < value.length; at += MOST_OPTION_BYTES) {
    const piece = value.subarray(at, at + MOST_OPTION_BYTES);
    pieces.push(Buffer.from([code, piece.length]), piece);
  }
  return pieces;
}

/** @throws TsnetError INVALID for what is no DHCP message for Ethernet */
export function decodeMessage(bytes: Buffer): DhcpMessage {
  if (bytes.length < OPTIONS_AT) throw malformed(`it has ${bytes.length} bytes of at least ${OPTIONS_AT}`);
  const op = bytes.readUInt8(0);
  if (op !== 1 && op !== 2) throw malformed(`op ${op} is neither request nor reply`);
  if (bytes.readUInt8(1) !== ETHERNET || bytes.readUInt8(2) !== MAC_BYTES) throw malformed('it is not for Ethernet');
  if (bytes.readUInt32BE(OPTIONS_AT - 4) !== COOKIE) throw malformed('it is BOOTP: the magic cookie is missing');
  const all = readAll(bytes);
  const type = all.get(OPTION.type);
  const name = type?.length === 1 ? TYPES[type.readUInt8(0) - 1] : undefined;
  if (name === undefined) throw malformed(`message type ${type?.toString('hex') ?? 'is missing'}`);
  all.delete(OPTION.type);
  all.delete(OPTION.overload);
  return {
    from: op === 1 ? 'client' : 'server',
    type: name,
    xid: bytes.readUInt32BE(4),
    seconds: bytes.readUInt16BE(8),
    broadcast: (bytes.readUInt16BE(10) & BROADCAST) !== 0,
    clientAddress: ipv4Text(bytes.subarray(12, 16)),
    yourAddress: ipv4Text(bytes.subarray(16, 20)),
    mac: formatMac(bytes.subarray(CHADDR, CHADDR + MAC_BYTES)),
    options: all,
  };
}

/** The options, and where option 52 says so those in the fields of the boot file and the server's name, in this order. */
function readAll(bytes: Buffer): Map<number, Buffer> {
  const all = new Map<number, Buffer>();
  readOptions(bytes.subarray(OPTIONS_AT), all);
  const overload = all.get(OPTION.overload)?.[0] ?? 0;
  if ((overload & 1) !== 0) readOptions(bytes.subarray(FILE, OPTIONS_AT - 4), all);
  if ((overload & 2) !== 0) readOptions(bytes.subarray(SNAME, FILE), all);
  return all;
}

function readOptions(field: Buffer, into: Map<number, Buffer>): void {
  for (let at = 0; at < field.length;) {
    const code = field.readUInt8(at);
    at += 1;
    if (code === PAD) continue;
    if (code === END) return;
    const length = field[at];
    if (length === undefined || at + 1 + length > field.length) throw malformed(`option ${code} is cut off`);
    const value = field.subarray(at + 1, at + 1 + length);
    const former = into.get(code);
    into.set(code, former === undefined ? value : Buffer.concat([former, value]));
    at += 1 + length;
  }
}

function malformed(why: string): TsnetError {
  return new TsnetError('INVALID', `not a DHCP message: ${why}`);
}
