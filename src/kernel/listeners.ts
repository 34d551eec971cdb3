/**
 * Which programs hold the host's ports: a published port that somebody listens on would be hidden or hide.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Family, Protocol } from '../model/records.ts';
import type { Listener, SoughtPort } from '../plan/kernel.ts';
import { dumpBoundSockets, parseBoundSocket, type BoundSocket, type DiagProtocol } from './inet-diag.ts';
import { errorCode, refused } from './kernel-refusal.ts';
import { libc } from './libc.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { HELD_MARK } from './port-holds.ts';
import { parseSctpEndpoints, parseSocketTable } from './proc-net.ts';

const FAMILIES: readonly Family[] = [4, 6];
const MAPPED = '::ffff:';
/** What a kernel says that has no inet_diag for the protocol. */
const WITHOUT_DIAG = ['ENOENT', 'EINVAL', 'EPROTONOSUPPORT', 'EOPNOTSUPP'];

export interface ListenerQuery {
  readonly protocols: readonly Protocol[];
  /** All that matter, where they are known and few. */
  readonly ports: readonly SoughtPort[] | undefined;
  /** Opens a sock-diag socket of the host, or has one open. */
  readonly open: () => NetlinkSocket;
}

/** The sockets of the host that listen on, or are bound without a peer to, a port. */
export async function readListeners({ protocols, ports, open }: ListenerQuery): Promise<Listener[]> {
  // Who can bind a port himself knows that nobody else has it, without asking for all sockets there are.
  if (ports?.every(canBind) === true) return [];
  const listeners: Listener[] = [];
  for (const protocol of new Set(protocols)) {
    const sockets = protocol === 'sctp' ? sctpSockets() : await boundSockets(protocol, open);
    listeners.push(...sockets.flatMap((socket) => listenersOf(protocol, socket)));
  }
  return listeners;
}

/** False also where it cannot be told: then the sockets are looked at. */
function canBind({ protocol, port }: SoughtPort): boolean {
  if (protocol === 'sctp') return false;
  try {
    return libc().canBind(protocol, port);
  } catch {
    return false;
  }
}

function listenersOf(protocol: Protocol, { address, port, inode, ipv6Only, mark }: BoundSocket): Listener[] {
  // What a daemon of ours holds is published: the ledger knows by whom, and whether it still is.
  if (port === 0 || mark === HELD_MARK) return [];
  // An IPv6 socket on ::ffff:10.0.0.1 holds the port of 10.0.0.1.
  if (address.startsWith(MAPPED)) return [{ protocol, address: address.slice(MAPPED.length), port, inode }];
  const listener = { protocol, address, port, inode };
  return address === '::' && !ipv6Only ? [listener, { ...listener, address: '0.0.0.0' }] : [listener];
}

async function boundSockets(protocol: DiagProtocol, open: () => NetlinkSocket): Promise<BoundSocket[]> {
  try {
    const socket = open();
    const sockets: BoundSocket[] = [];
    for (const family of FAMILIES) {
      sockets.push(...(await socket.dump(dumpBoundSockets(family, protocol))).map(parseBoundSocket));
    }
    return sockets;
  } catch (error) {
    if (isWithoutDiag(error)) return socketTables(protocol);
    throw refused(`list ${protocol} sockets`, error);
  }
}

function isWithoutDiag(error: unknown): boolean {
  return WITHOUT_DIAG.includes(errorCode(error) ?? '');
}

function socketTables(protocol: DiagProtocol): BoundSocket[] {
  return FAMILIES.flatMap((family) => {
    const table = readTable(`/proc/thread-self/net/${protocol}${family === 6 ? '6' : ''}`);
    return table === undefined ? [] : parseSocketTable(table, protocol, family);
  });
}

function sctpSockets(): BoundSocket[] {
  const table = readTable('/proc/thread-self/net/sctp/eps');
  return table === undefined ? [] : parseSctpEndpoints(table);
}

function readTable(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw refused(`read ${file}`, error);
  }
}

/** "nginx (pid 812)": the first process found that has the socket open. */
export function socketHolder(inode: number): string | undefined {
  const wanted = `socket:[${inode}]`;
  const pid = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && hasOpen(entry, wanted));
  if (pid === undefined) return undefined;
  try {
    return `${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} (pid ${pid})`;
  } catch {
    return undefined;
  }
}

/** False too for a process that ended meanwhile, or that we may not look into: then the holder stays unnamed. */
function hasOpen(pid: string, wanted: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linksTo(`/proc/${pid}/fd/${fd}`, wanted));
  } catch {
    return false;
  }
}

function linksTo(file: string, wanted: string): boolean {
  try {
    return readlinkSync(file) === wanted;
  } catch {
    return false;
  }
}

/** First and last port that the host gives to outgoing connections. */
export function ephemeralPorts(): readonly [number, number] {
  const file = '/proc/sys/net/ipv4/ip_local_port_range';
  const [first, last] = (readTable(file) ?? '32768\t60999').trim().split(/\s+/).map(Number);
  return [first ?? 32768, last ?? 60999];
}
