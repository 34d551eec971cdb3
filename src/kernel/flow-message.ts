/**
 * Connection tracking in nfnetlink's words: `struct nfgenmsg` and the CTA_ attributes
 * (include/uapi/linux/netfilter/nfnetlink_conntrack.h).
 */
import type { Family, Protocol } from '../model/records.ts';
import type { FlowFilter } from '../plan/kernel.ts';
import { addressBytes, addressFamily, addressText } from './address-bytes.ts';
import {
  attribute,
  nested,
  nestedIn,
  readAttributes,
  u32Attribute,
  u8Attribute,
  u8Of,
  type Attributes,
} from './netlink-attribute.ts';
import type { NetlinkRequest } from './netlink-message.ts';

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1;
const IPCTNL_MSG_CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;
const HEADER_BYTES = 4;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_FILTER = 25;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_DST_PORT = 3;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_REPLY_FLAGS = 2;
const F_IP_SRC = 1 << 0;
const F_PROTO_NUM = 1 << 3;
const F_PROTO_DST_PORT = 1 << 5;

export const IPPROTO: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** A connection tracking entry, as far as filters look. */
export interface Flow {
  readonly family: Family;
  /** IPPROTO_… number. */
  readonly protocol: number;
  readonly originalSource: string;
  readonly originalDestination: string;
  readonly replySource: string;
  /** Undefined for protocols without ports. */
  readonly originalPort: number | undefined;
  /** The attributes that name the entry: original tuple, id, zone. */
  readonly identity: Buffer;
}

/** Which entries the kernel itself picks out, for a dump (Linux 5.8; older ones ignore it) or a deletion (Linux 6.11). */
export interface KernelFilter {
  readonly family: Family;
  readonly protocol?: Protocol;
  /** Original destination port of the `protocol`, which must be given. */
  readonly hostPort?: number;
  readonly source?: { readonly direction: 'original' | 'reply'; readonly address: string };
}

export function dumpFlows(filter: KernelFilter): NetlinkRequest {
  return { type: IPCTNL_MSG_CT_GET, payload: Buffer.concat([header(filter.family), ...filterAttributes(filter)]) };
}

/**
 * Deletes what the filter fits, in one walk over the table. A kernel that knows no such filter takes its parts for the name
 * of one entry, which is not complete, and answers EINVAL. A filter of the family alone would empty the table: refused here.
 */
export function deleteFlows(filter: KernelFilter): NetlinkRequest {
  const attributes = filterAttributes(filter);
  if (attributes.length === 0) throw new TypeError('a filter that fits every flow');
  return { type: IPCTNL_MSG_CT_DELETE, payload: Buffer.concat([header(filter.family), ...attributes]) };
}

function filterAttributes({ protocol, hostPort, source }: KernelFilter): Buffer[] {
  const ip = source === undefined ? [] : [nested(CTA_TUPLE_IP, sourceAttribute(source.address))];
  const proto =
    protocol === undefined
      ? []
      : [
          nested(
            CTA_TUPLE_PROTO,
            u8Attribute(CTA_PROTO_NUM, IPPROTO[protocol]),
            ...(hostPort === undefined ? [] : [u16Attribute(CTA_PROTO_DST_PORT, hostPort)]),
          ),
        ];
  const ipFlag = source === undefined ? 0 : F_IP_SRC;
  const protoFlags = (protocol === undefined ? 0 : F_PROTO_NUM) | (hostPort === undefined ? 0 : F_PROTO_DST_PORT);
  const replies = source?.direction === 'reply';
  return [
    ...directed(CTA_TUPLE_ORIG, replies ? proto : [...ip, ...proto]),
    ...directed(CTA_TUPLE_REPLY, replies ? ip : []),
    ...directed(CTA_FILTER, [
      ...flagged(CTA_FILTER_ORIG_FLAGS, replies ? protoFlags : ipFlag | protoFlags),
      ...flagged(CTA_FILTER_REPLY_FLAGS, replies ? ipFlag : 0),
    ]),
  ];
}

function directed(type: number, parts: readonly Buffer[]): Buffer[] {
  return parts.length === 0 ? [] : [nested(type, ...parts)];
}

function flagged(type: number, flags: number): Buffer[] {
  return flags === 0 ? [] : [u32Attribute(type, flags)];
}

/** Ports are in network byte order. */
function u16Attribute(type: number, value: number): Buffer {
  return attribute(type, Buffer.of(value >> 8, value & 0xff));
}

function sourceAttribute(address: string): Buffer {
  const bytes = addressBytes(address);
  return attribute(bytes.length === 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, bytes);
}

/** Deletes this entry and no other. Without its tuple the message would empty the whole table. */
export function deleteFlow(flow: Flow): NetlinkRequest {
  return { type: IPCTNL_MSG_CT_DELETE, payload: Buffer.concat([header(flow.family), flow.identity]) };
}

function header(family: Family): Buffer {
  return Buffer.of(addressFamily(family), 0, 0, 0);
}

/** Undefined for an entry without its original tuple, which cannot be named. */
export function parseFlow(payload: Buffer): Flow | undefined {
  const attributes = readAttributes(payload.subarray(HEADER_BYTES));
  const original = attributes.get(CTA_TUPLE_ORIG);
  if (original === undefined) return undefined;
  const tuple = readAttributes(original);
  const proto = nestedIn(tuple, CTA_TUPLE_PROTO);
  const port = proto.get(CTA_PROTO_DST_PORT);
  return {
    family: payload.readUInt8(0) === addressFamily(4) ? 4 : 6,
    protocol: u8Of(proto, CTA_PROTO_NUM) ?? 0,
    originalSource: sourceOf(tuple),
    originalDestination: destinationOf(tuple),
    replySource: sourceOf(nestedIn(attributes, CTA_TUPLE_REPLY)),
    originalPort: port === undefined ? undefined : port.readUInt16BE(0),
    identity: Buffer.concat([
      nested(CTA_TUPLE_ORIG, original),
      ...[CTA_ID, CTA_ZONE].flatMap((type) => {
        const value = attributes.get(type);
        return value === undefined ? [] : [attribute(type, value)];
      }),
    ]),
  };
}

function sourceOf(tuple: Attributes): string {
  const ip = nestedIn(tuple, CTA_TUPLE_IP);
  return addressText(ip.get(CTA_IP_V4_SRC) ?? ip.get(CTA_IP_V6_SRC) ?? Buffer.alloc(0));
}

function destinationOf(tuple: Attributes): string {
  const ip = nestedIn(tuple, CTA_TUPLE_IP);
  return addressText(ip.get(CTA_IP_V4_DST) ?? ip.get(CTA_IP_V6_DST) ?? Buffer.alloc(0));
}

/** Whether every given field of the filter fits the flow. */
export function fits(flow: Flow, filter: FlowFilter): boolean {
  const { family, protocol, hostPorts, address } = filter;
  return (
    flow.family === family &&
    (protocol === undefined || flow.protocol === IPPROTO[protocol]) &&
    (hostPorts === undefined ||
      (flow.originalPort !== undefined && flow.originalPort >= hostPorts[0] && flow.originalPort <= hostPorts[1])) &&
    (address === undefined || flow.originalSource === address || flow.replySource === address)
  );
}
