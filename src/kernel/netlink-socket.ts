/**
 * A netlink socket, and the one module that imports npm `netlink` (its raw layer: the socket, not the message classes).
 *
 * A socket belongs to the namespace that its thread was in when it was opened, for ever. Requests are pipelined: a batch
 * goes out in as few datagrams as fit, the kernel works through them in order, and answers find their request by sequence
 * number; one acknowledgement a datagram. Loading is deferred to the first socket, so that commands that ask the kernel nothing do not pay for it.
 */
import { createRequire } from 'node:module';
import type { RawNetlinkSocket } from 'netlink/dist/raw.js';
import { TsnetError } from '../model/error.ts';
import { lowestFreeDescriptor } from './high-descriptor.ts';
import { KernelRefusal, refused } from './kernel-refusal.ts';
import { libc, libcIfLoaded } from './libc.ts';
import {
  decodeAnswers,
  encodeRequests,
  NLM_F_DUMP,
  type NetlinkAnswer,
  type NetlinkRequest,
} from './netlink-message.ts';

/** The kernel's answer to one request: its messages (a GET has one), or why it refused. */
export type Outcome =
  | { readonly refusal: undefined; readonly replies: readonly Buffer[] }
  | { readonly refusal: KernelRefusal; readonly replies: readonly Buffer[] };

export type NetlinkProtocol = 'route' | 'sock-diag' | 'netfilter';

export const PROTOCOL_NUMBERS: Readonly<Record<NetlinkProtocol, number>> = { route: 0, 'sock-diag': 4, netfilter: 12 };
const NETLINK_NO_ENOBUFS = 5;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
/**
 * Requests on their way at one time, whoever sent them: their answers must fit the receive buffer, or the kernel drops them and
 * the socket fails. A link is some 2 KB, as the kernel counts 8.
 */
const MOST_UNDER_WAY = 32;
const RECEIVE_BUFFER_BYTES = 1 << 20;
const SEND_BUFFER_BYTES = 1 << 18;
const NLMSG_HEADER_BYTES = 16;
/** A few messages wake as well as many. */
const LISTENING_BUFFER_BYTES = 1 << 14;
const DESCRIPTOR_ATTEMPTS = 8;
/** The kernel answers while we send; a missing answer is a lost one, never a slow one. */
const TIMEOUT_MS = 10_000;
/** Dumps of a table that changes while it is read are repeated this often. */
const DUMP_ATTEMPTS = 16;

/** What is used of npm netlink's raw socket; tests hand in their own. */
export type RawSocket = Pick<RawNetlinkSocket, 'on' | 'send' | 'ref' | 'unref' | 'close'>;

/** Requests that went out together, numbered from `first` on; it ends when the last has its outcome. */
interface Exchange {
  readonly first: number;
  readonly replies: readonly Buffer[][];
  readonly refusals: (KernelRefusal | undefined)[];
  interrupted: boolean;
  readonly end: (error?: Error) => void;
}

/** Somebody who waits until there is room for so many requests. */
interface Waiting {
  readonly size: number;
  readonly enter: () => void;
  readonly fail: (error: unknown) => void;
}

export class NetlinkSocket {
  readonly #raw: RawSocket;
  readonly #exchanges = new Set<Exchange>();
  /** First come, first served. */
  readonly #queue: Waiting[] = [];
  #underWay = 0;
  #broken = false;
  #sequence = 0;
  /** The kernel runs one dump a socket at a time. */
  #lastDump: Promise<unknown> = Promise.resolve();

  /** Opens a socket in the namespace of the calling thread. Throws an error with the errno's `code`. */
  constructor(protocol: NetlinkProtocol, open: (protocol: number) => RawSocket = openRaw) {
    this.#raw = open(PROTOCOL_NUMBERS[protocol]);
    this.#raw.unref();
    this.#raw.on('message', (datagram, { port }) => {
      // Any process may send to our port; the kernel's is 0.
      if (port === 0) this.#receive(datagram);
    });
    this.#raw.on('error', (error) => {
      this.#broken = true;
      this.#failAll(error);
    });
  }

  /** The system refused to go on with it: whoever keeps sockets opens another. */
  get isBroken(): boolean {
    return this.#broken;
  }

  /** Sends the requests in order and waits for all outcomes. A refused request does not stop those behind it. */
  async batch(requests: readonly NetlinkRequest[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (let at = 0; at < requests.length; at += MOST_UNDER_WAY) {
      const { replies, refusals } = await this.#exchange(requests.slice(at, at + MOST_UNDER_WAY));
      replies.forEach((messages, index) => outcomes.push({ replies: messages, refusal: refusals[index] }));
    }
    return outcomes;
  }

  /** All entries of a table, read without a change in between. Throws KernelRefusal. */
  dump(request: NetlinkRequest): Promise<readonly Buffer[]> {
    const dump = this.#lastDump.then(() => this.#dumpUndisturbed(request));
    this.#lastDump = dump.catch(() => undefined);
    return dump;
  }

  async #dumpUndisturbed(request: NetlinkRequest): Promise<readonly Buffer[]> {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const dump = await this.#exchange([{ ...request, flags: (request.flags ?? 0) | NLM_F_DUMP }]);
      if (dump.refusals[0] !== undefined) throw dump.refusals[0];
      if (!dump.interrupted) return dump.replies[0] ?? [];
    }
    throw new TsnetError(
      'TIMEOUT',
      `cannot read a kernel table: it changed during each of ${DUMP_ATTEMPTS} reads; try again`,
    );
  }

  async #exchange(requests: readonly NetlinkRequest[]): Promise<Exchange> {
    const size = requests.length;
    if (this.#queue.length === 0 && this.#hasRoom(size)) this.#underWay += size;
    else await new Promise<void>((enter, fail) => this.#queue.push({ size, enter, fail }));
    return this.#send(requests);
  }

  #hasRoom(size: number): boolean {
    return this.#underWay === 0 || this.#underWay + size <= MOST_UNDER_WAY;
  }

  #send(requests: readonly NetlinkRequest[]): Promise<Exchange> {
    const first = this.#numbersFor(requests.length);
    if (this.#exchanges.size === 0) this.#raw.ref();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        exchange.end(new TsnetError('TIMEOUT', `the kernel did not answer within ${TIMEOUT_MS} ms; try again`));
      }, TIMEOUT_MS);
      const exchange: Exchange = {
        first,
        replies: requests.map(() => []),
        refusals: requests.map(() => undefined),
        interrupted: false,
        end: (error) => {
          if (!this.#exchanges.delete(exchange)) return;
          clearTimeout(timer);
          this.#leave(requests.length);
          if (error === undefined) resolve(exchange);
          else reject(error);
        },
      };
      this.#exchanges.add(exchange);
      this.#raw.send(encodeRequests(requests, first), undefined, (error) => {
        if (error !== undefined) exchange.end(error);
      });
    });
  }

  /** The first of so many sequence numbers in a row. */
  #numbersFor(count: number): number {
    if (this.#sequence + count > 0xffffffff) this.#sequence = 0;
    const first = this.#sequence + 1;
    this.#sequence += count;
    return first;
  }

  #leave(size: number): void {
    this.#underWay -= size;
    if (this.#exchanges.size === 0) this.#raw.unref();
    for (let [next] = this.#queue; next !== undefined && this.#hasRoom(next.size); [next] = this.#queue) {
      this.#queue.shift();
      this.#underWay += next.size;
      next.enter();
    }
  }

  /** Runs inside the native callback: it must neither throw nor close the socket. */
  #receive(datagram: Buffer): void {
    for (const answer of decodeAnswers(datagram)) {
      for (const exchange of this.#exchanges) takeAnswer(exchange, answer);
    }
  }

  #failAll(error: Error): void {
    for (const exchange of this.#exchanges) exchange.end(error);
    for (const { fail } of this.#queue.splice(0)) fail(error);
  }

  /** Ends the socket and whatever still waits on it. */
  async close(): Promise<void> {
    this.#failAll(new TsnetError('INTERNAL', 'a netlink socket was closed while a request was under way'));
    // Not from here: the native side does not survive being closed by its own receive callback, and we may be called in one.
    await new Promise((resolve) => setImmediate(resolve));
    this.#raw.close();
  }
}

function takeAnswer(exchange: Exchange, answer: NetlinkAnswer): void {
  const index = answer.seq - exchange.first;
  const replies = exchange.replies[index];
  if (replies === undefined) return;
  exchange.interrupted ||= answer.interrupted;
  if (!answer.end) {
    replies.push(answer.payload);
    return;
  }
  if (answer.errno !== 0) exchange.refusals[index] = new KernelRefusal(answer.errno, answer.explanation);
  if (index === exchange.replies.length - 1) exchange.end();
}

let loadedRaw: typeof RawNetlinkSocket | undefined;

function loadRaw(): typeof RawNetlinkSocket {
  return (loadedRaw ??= (createRequire(import.meta.url)('netlink/dist/raw.js') as typeof import('netlink/dist/raw.js'))
    .RawNetlinkSocket);
}

export interface ListeningSocketOptions {
  /** Multicast groups of the protocol. */
  readonly groups: readonly number[];
  /**
   * Gets the descriptor before the socket joins them. It has to set NETLINK_NO_ENOBUFS: an overrun makes the package throw inside
   * its poll callback, which ends the process.
   */
  readonly prepare: (fd: number) => void;
  /** Something came, or was lost. It does not say what: the messages themselves are cut to a header. */
  readonly onReadable: () => void;
}

/** Tells that a group has something to say, in the namespace of the calling thread. It keeps no process running. Throws TsnetError. */
export function openListeningSocket(
  protocol: NetlinkProtocol,
  { groups, prepare, onReadable }: ListeningSocketOptions,
): { close(): void } {
  const { raw, fd } = openKnown(protocol);
  raw.unref();
  try {
    prepare(fd);
    raw.on('message', onReadable);
    raw.on('truncatedMessage', onReadable);
    raw.on('error', onReadable);
    for (const group of groups) raw.addMembership(group);
  } catch (error) {
    raw.close();
    throw refused('listen to what the kernel tells', error);
  }
  return {
    close: () => {
      raw.close();
    },
  };
}

/** With its descriptor, which the package does not tell (see `openRaw`). */
function openKnown(protocol: NetlinkProtocol): { readonly raw: RawNetlinkSocket; readonly fd: number } {
  const Raw = loadRaw();
  for (let attempt = 1; attempt <= DESCRIPTOR_ATTEMPTS; attempt++) {
    const fd = lowestFreeDescriptor();
    const raw = new Raw(PROTOCOL_NUMBERS[protocol], {
      recvBufferSize: LISTENING_BUFFER_BYTES,
      sendBufferSize: LISTENING_BUFFER_BYTES,
      messagePeeking: false,
      msgBufferSize: NLMSG_HEADER_BYTES,
    });
    if (libc().netlinkPort(fd) === raw.address().port) return { raw, fd };
    raw.close();
  }
  throw new TsnetError('KERNEL', 'listen to what the kernel tells: cannot find the descriptor of a socket; try again');
}

function openRaw(protocol: number): RawNetlinkSocket {
  const Raw = loadRaw();
  const fd = lowestFreeDescriptor();
  const raw = new Raw(protocol, { recvBufferSize: RECEIVE_BUFFER_BYTES, sendBufferSize: SEND_BUFFER_BYTES });
  const loaded = libcIfLoaded();
  // The package does not tell its file descriptor. The socket took the lowest free one, unless another thread was faster:
  // the port proves it. Without libc at hand, errors come without the kernel's words and dumps unfiltered: no more than that.
  if (loaded?.netlinkPort(fd) === raw.address().port) {
    loaded.setNetlinkOption(fd, NETLINK_EXT_ACK, 1);
    loaded.setNetlinkOption(fd, NETLINK_GET_STRICT_CHK, 1);
    // An overrun makes the package throw inside its poll callback, which ends the process; so a lost answer is a request that fails.
    loaded.setNetlinkOption(fd, NETLINK_NO_ENOBUFS, 1);
  }
  return raw;
}
