/**
 * The sockets of the name service inside a sandbox: where it is asked, and from where it asks a sandbox's own nameservers.
 *
 * An open socket keeps its namespace alive, links and all, after the last process: whoever holds one must let go of it when
 * the sandbox has ended.
 */
import { closeSync, readFileSync } from 'node:fs';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { Socket } from 'node:net';
import { TsnetError } from '../model/error.ts';
import type { Family, Netns } from '../model/records.ts';
import { NAME_SERVICE_ADDRESS } from '../model/resolv-conf.ts';
import { errorCode, refused } from './kernel-refusal.ts';
import { openBoundSocket, openConnection, portOf } from './internet-socket.ts';
import { redirectNames, type NameRedirect } from './name-redirect.ts';
import { inNetns, openNetns } from './netns.ts';

/** Open files, bound to one port of 127.0.0.11 in the sandbox; the caller's to close. */
export interface NameSockets {
  readonly udp: number;
  readonly tcp: number;
  readonly port: number;
}

/** What the name service asks of the kernel; all of it in the namespace of one sandbox. */
export interface NameSocketKernel {
  /**
   * Binds both sockets and leads 127.0.0.11:53 to them. The same `seed` gets the same port where it is free: a resolver that
   * keeps its socket, and with it its entry in conntrack, reaches the next daemon too. Rejects with TsnetError; CONFLICT where
   * somebody else serves names at this address.
   */
  listen(netns: Netns, seed: string): Promise<NameSockets>;
  /** A socket to ask a nameserver of this family from, on a port that the kernel chose at random. Throws TsnetError. */
  datagram(netns: Netns, family: Family): DatagramSocket;
  /** A connection that is being made. Throws TsnetError. */
  stream(netns: Netns, address: string, port: number): Socket;
}

/** IANA's dynamic ports, above those that services listen on. */
const FIRST_PORT = 50_000;
const PORTS = 10_000;
const PORTS_TRIED = 8;

export function nameSocketKernel(redirect: NameRedirect = redirectNames): NameSocketKernel {
  return {
    listen: async (netns, seed) => {
      const file = openNetns(netns);
      try {
        const sockets = inNetns(file, () => {
          refuseTaken(netns);
          return bindBoth(seed);
        });
        try {
          await redirect(file, sockets.port);
          return sockets;
        } catch (error) {
          closeSync(sockets.udp);
          closeSync(sockets.tcp);
          throw error;
        }
      } catch (error) {
        throw refused(`open the name service of the sandbox at ${netns.path}`, error);
      } finally {
        closeSync(file);
      }
    },
    datagram: (netns, family) => {
      const fd = openInside(netns, () => openBoundSocket('udp', family === 4 ? '0.0.0.0' : '::', 0));
      const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
      socket.bind({ fd, exclusive: true });
      return socket;
    },
    stream: (netns, address, port) => new Socket({ fd: openInside(netns, () => openConnection(address, port)) }),
  };
}

function openInside(netns: Netns, open: () => number): number {
  const file = openNetns(netns);
  try {
    return inNetns(file, open);
  } catch (error) {
    throw refused(`ask a nameserver from the sandbox at ${netns.path}`, error);
  } finally {
    closeSync(file);
  }
}

/** 127.0.0.11 as /proc/net/udp writes it. */
const TAKEN = /^\s*\d+: 0B00007F:/m;

/** Docker serves its own networks at the same address: in a container that is on one, it stays Docker's. */
function refuseTaken({ path }: Netns): void {
  if (!TAKEN.test(readFileSync('/proc/thread-self/net/udp', 'latin1'))) return;
  throw new TsnetError(
    'CONFLICT',
    `another name service has ${NAME_SERVICE_ADDRESS} in the sandbox at ${path} (Docker's, in containers on a Docker network)`,
  );
}

/** One port for both, so that one redirect serves both. */
function bindBoth(seed: string): NameSockets {
  const start = Number.parseInt(seed.slice(0, 8), 16) % PORTS;
  const wanted = Array.from({ length: PORTS_TRIED }, (_, index) => FIRST_PORT + ((start + index) % PORTS));
  // At last whatever is free.
  for (const port of [...wanted, 0, 0, 0]) {
    const udp = unlessTaken(() => openBoundSocket('udp', NAME_SERVICE_ADDRESS, port));
    if (udp === undefined) continue;
    const chosen = portOf(udp);
    const tcp = unlessTaken(() => openBoundSocket('tcp', NAME_SERVICE_ADDRESS, chosen));
    if (tcp !== undefined) return { udp, tcp, port: chosen };
    closeSync(udp);
  }
  throw new Error(`no port of ${NAME_SERVICE_ADDRESS} is free`);
}

function unlessTaken(open: () => number): number | undefined {
  try {
    return open();
  } catch (error) {
    if (errorCode(error) === 'EADDRINUSE') return undefined;
    throw error;
  }
}
