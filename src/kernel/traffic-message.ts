/**
 * Messages of traffic control: queues and filters (include/uapi/linux/rtnetlink.h, pkt_sched.h, pkt_cls.h, tc_act/tc_mirred.h).
 */
import {
  attribute,
  blank,
  nested,
  nestedIn,
  readAttributes,
  textAttribute,
  textOf,
  u32Attribute,
} from './netlink-attribute.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, type NetlinkRequest } from './netlink-message.ts';

const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
const RTM_NEWTFILTER = 44;
const RTM_GETTFILTER = 46;
/** struct tcmsg */
const HEADER_BYTES = 20;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;

const TC_H_ROOT = 0xffff_ffff;
const TC_H_INGRESS = 0xffff_fff1;
const ROOT_HANDLE = 0x0001_0000;
const INGRESS_HANDLE = 0xffff_0000;

const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_BURST = 6;
const TBF_PARMS_BYTES = 36;
const TC_LINKLAYER_ETHERNET = 1;
const MOST_U32 = 0xffff_ffff;
/** Nanoseconds in a tick of the kernel's packet clock (PSCHED_SHIFT, include/net/pkt_sched.h). */
const TICK_NS = 64;

const ETH_P_ALL = 0x0003;
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TC_U32_TERMINAL = 1;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const TC_ACT_STOLEN = 4;
const TCA_EGRESS_REDIR = 1;
const MIRRED_BYTES = 28;

interface Place {
  readonly link: number;
  readonly handle?: number;
  readonly parent: number;
  /** Priority and protocol of a filter. */
  readonly info?: number;
}

function header({ link, handle = 0, parent, info = 0 }: Place): Buffer {
  const bytes = blank(HEADER_BYTES);
  bytes.writeInt32LE(link, 4);
  bytes.writeUInt32LE(handle, 8);
  bytes.writeUInt32LE(parent, 12);
  bytes.writeUInt32LE(info, 16);
  return bytes;
}

export interface TokenBucket {
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
  readonly limitBytes: number;
}

/** What a queue of a link is. */
export interface Queue {
  readonly link: number;
  /** `root`: what leaves the link; `ingress`: what arrives on it. */
  readonly at: 'root' | 'ingress' | 'elsewhere';
  /** "tbf", "noqueue", "ingress" */
  readonly kind: string;
  readonly bucket?: { readonly bytesPerSecond: number; readonly limitBytes: number; readonly burstTicks: number };
}

/** A token bucket at the root of a link, whatever was there. */
export function setTokenBucket(link: number, { bytesPerSecond, burstBytes, limitBytes }: TokenBucket): NetlinkRequest {
  const parms = blank(TBF_PARMS_BYTES);
  parms.writeUInt8(TC_LINKLAYER_ETHERNET, 1);
  parms.writeUInt32LE(Math.min(bytesPerSecond, MOST_U32), 8);
  parms.writeUInt32LE(limitBytes, 24);
  parms.writeUInt32LE(Math.min(burstTicks({ bytesPerSecond, burstBytes }), MOST_U32), 28);
  const options = [attribute(TCA_TBF_PARMS, parms), u32Attribute(TCA_TBF_BURST, burstBytes)];
  if (bytesPerSecond > MOST_U32) options.push(attribute(TCA_TBF_RATE64, u64(bytesPerSecond)));
  return {
    type: RTM_NEWQDISC,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    payload: Buffer.concat([
      header({ link, handle: ROOT_HANDLE, parent: TC_H_ROOT }),
      textAttribute(TCA_KIND, 'tbf'),
      nested(TCA_OPTIONS, ...options),
    ]),
  };
}

/** How long a full bucket lasts, in the kernel's ticks. */
export function burstTicks({ bytesPerSecond, burstBytes }: Pick<TokenBucket, 'bytesPerSecond' | 'burstBytes'>): number {
  return Math.floor((burstBytes * 1e9) / bytesPerSecond / TICK_NS);
}

function u64(value: number): Buffer {
  const bytes = blank(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

export function deleteRootQueue(link: number): NetlinkRequest {
  return { type: RTM_DELQDISC, payload: header({ link, parent: TC_H_ROOT }) };
}

/** Where filters for what arrives hang; it holds nothing itself. One that is there stays. */
export function setIngressQueue(link: number): NetlinkRequest {
  return {
    type: RTM_NEWQDISC,
    flags: NLM_F_CREATE,
    payload: Buffer.concat([
      header({ link, handle: INGRESS_HANDLE, parent: TC_H_INGRESS }),
      textAttribute(TCA_KIND, 'ingress'),
    ]),
  };
}

/** With its filters. */
export function deleteIngressQueue(link: number): NetlinkRequest {
  return { type: RTM_DELQDISC, payload: header({ link, handle: INGRESS_HANDLE, parent: TC_H_INGRESS }) };
}

/** Everything that arrives on `link` leaves by `to` instead: a u32 filter that matches all, with the action mirred. */
export function addRedirect(link: number, to: number): NetlinkRequest {
  const selector = blank(32);
  selector.writeUInt8(TC_U32_TERMINAL, 0);
  // One key, with a mask of nothing.
  selector.writeUInt8(1, 2);
  const mirred = blank(MIRRED_BYTES);
  mirred.writeInt32LE(TC_ACT_STOLEN, 8);
  mirred.writeInt32LE(TCA_EGRESS_REDIR, 20);
  mirred.writeUInt32LE(to, 24);
  const action = nested(
    1,
    textAttribute(TCA_ACT_KIND, 'mirred'),
    nested(TCA_ACT_OPTIONS, attribute(TCA_MIRRED_PARMS, mirred)),
  );
  return {
    type: RTM_NEWTFILTER,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: Buffer.concat([
      header({ link, parent: INGRESS_HANDLE, info: filterInfo(1) }),
      textAttribute(TCA_KIND, 'u32'),
      nested(TCA_OPTIONS, attribute(TCA_U32_SEL, selector), nested(TCA_U32_ACT, action)),
    ]),
  };
}

/** The protocol is in network order. */
function filterInfo(priority: number): number {
  return ((priority << 16) | (ETH_P_ALL << 8)) >>> 0;
}

export function dumpQueues(): NetlinkRequest {
  return { type: RTM_GETQDISC, payload: header({ link: 0, parent: 0 }) };
}

export function parseQueue(payload: Buffer): Queue {
  const attributes = readAttributes(payload.subarray(HEADER_BYTES));
  const [kind, parent] = [textOf(attributes, TCA_KIND) ?? '', payload.readUInt32LE(12)];
  const options = kind === 'tbf' ? nestedIn(attributes, TCA_OPTIONS) : undefined;
  const parms = options?.get(TCA_TBF_PARMS);
  const rate = options?.get(TCA_TBF_RATE64);
  return {
    link: payload.readInt32LE(4),
    at: parent === TC_H_ROOT ? 'root' : parent === TC_H_INGRESS ? 'ingress' : 'elsewhere',
    kind,
    ...(parms === undefined || parms.length < TBF_PARMS_BYTES
      ? {}
      : {
          bucket: {
            bytesPerSecond: rate === undefined ? parms.readUInt32LE(8) : Number(rate.readBigUInt64LE(0)),
            limitBytes: parms.readUInt32LE(24),
            burstTicks: parms.readUInt32LE(28),
          },
        }),
  };
}

/** The filters for what arrives on a link. */
export function dumpIngressFilters(link: number): NetlinkRequest {
  return { type: RTM_GETTFILTER, payload: header({ link, parent: INGRESS_HANDLE }) };
}

/** Index of the link that a filter leads everything to; undefined for one that does not. */
export function redirectTarget(payload: Buffer): number | undefined {
  const attributes = readAttributes(payload.subarray(HEADER_BYTES));
  if (textOf(attributes, TCA_KIND) !== 'u32') return undefined;
  const action = nestedIn(nestedIn(nestedIn(attributes, TCA_OPTIONS), TCA_U32_ACT), 1);
  if (textOf(action, TCA_ACT_KIND) !== 'mirred') return undefined;
  const mirred = nestedIn(action, TCA_ACT_OPTIONS).get(TCA_MIRRED_PARMS);
  return mirred !== undefined && mirred.length >= MIRRED_BYTES && mirred.readInt32LE(20) === TCA_EGRESS_REDIR
    ? mirred.readUInt32LE(24)
    : undefined;
}
