/**
 * Netlink messages as bytes: `struct nlmsghdr` and what follows it, requests out and answers in.
 *
 * Source: include/uapi/linux/netlink.h.
 */
import { aligned, blank, readAttributes, textOf } from './netlink-attribute.ts';

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;
const HEADER_BYTES = 16;
const ERRNO_BYTES = 4;

/** What to ask the kernel: a message type of its protocol, flags besides REQUEST and ACK, and the payload. */
export interface NetlinkRequest {
  readonly type: number;
  readonly flags?: number;
  readonly payload: Buffer;
}

/** One message of the kernel. `end` closes the answer to a request: errno 0 is success. */
export type NetlinkAnswer =
  | { readonly seq: number; readonly end: false; readonly interrupted: boolean; readonly payload: Buffer }
  | {
      readonly seq: number;
      readonly end: true;
      readonly interrupted: boolean;
      readonly errno: number;
      readonly explanation: string | undefined;
    };

/**
 * The requests as one datagram, numbered from `first` on. The kernel works through them in order and tells of every refusal; of
 * success it tells with the last alone, which so speaks for all.
 */
export function encodeRequests(requests: readonly NetlinkRequest[], first: number): Buffer {
  const bytes = blank(requests.reduce((sum, { payload }) => sum + aligned(HEADER_BYTES + payload.length), 0));
  let at = 0;
  for (const [index, { type, flags = 0, payload }] of requests.entries()) {
    const acknowledged = index === requests.length - 1 ? NLM_F_ACK : 0;
    bytes.writeUInt32LE(HEADER_BYTES + payload.length, at);
    bytes.writeUInt16LE(type, at + 4);
    bytes.writeUInt16LE(NLM_F_REQUEST | acknowledged | flags, at + 6);
    bytes.writeUInt32LE(first + index, at + 8);
    bytes.set(payload, at + HEADER_BYTES);
    at += aligned(HEADER_BYTES + payload.length);
  }
  return bytes;
}

/** The messages of one datagram; a cut one ends it. */
export function decodeAnswers(datagram: Buffer): NetlinkAnswer[] {
  const answers: NetlinkAnswer[] = [];
  for (let at = 0; at + HEADER_BYTES <= datagram.length;) {
    const length = datagram.readUInt32LE(at);
    if (length < HEADER_BYTES || at + length > datagram.length) break;
    answers.push(decodeAnswer(datagram.subarray(at, at + length)));
    at += aligned(length);
  }
  return answers;
}

function decodeAnswer(message: Buffer): NetlinkAnswer {
  const type = message.readUInt16LE(4);
  const flags = message.readUInt16LE(6);
  const seq = message.readUInt32LE(8);
  const interrupted = (flags & NLM_F_DUMP_INTR) !== 0;
  const payload = message.subarray(HEADER_BYTES);
  if (type !== NLMSG_ERROR && type !== NLMSG_DONE) return { seq, end: false, interrupted, payload };
  const errno = payload.length >= ERRNO_BYTES ? Math.abs(payload.readInt32LE(0)) : 0;
  return { seq, end: true, interrupted, errno, explanation: explanationIn(payload, type, flags) };
}

/** An error carries the header of the request, or all of it unless capped, before the kernel's explanation. */
function explanationIn(payload: Buffer, type: number, flags: number): string | undefined {
  if ((flags & NLM_F_ACK_TLVS) === 0) return undefined;
  let start = ERRNO_BYTES;
  if (type === NLMSG_ERROR) {
    if (payload.length < ERRNO_BYTES + HEADER_BYTES) return undefined;
    start += (flags & NLM_F_CAPPED) !== 0 ? HEADER_BYTES : aligned(payload.readUInt32LE(ERRNO_BYTES));
  }
  return textOf(readAttributes(payload.subarray(start)), NLMSGERR_ATTR_MSG);
}
