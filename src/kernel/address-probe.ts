/**
 * Whether somebody has an address already, before a container gets it.
 *
 * Three probes a tenth of a second apart, and as long again for the last answer: some 300 ms in all when nobody answers. RFC
 * 5227 would take five seconds or more; a device that sleeps longer than 300 ms is not found. The first answer ends the wait.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { macBytes } from '../model/mac.ts';
import type { AddressHolder } from '../plan/kernel.ts';
import { dumpAddresses, parseAddress } from './address-message.ts';
import { readLinks } from './facts.ts';
import { errorCode, refused } from './kernel-refusal.ts';
import type { Link } from './link-message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { openPacketSocket, type PacketSocket } from './packet-socket.ts';
import { ETH_P_ARP, ETH_P_IPV6, groupsOf, NEIGHBOUR_DISCOVERY, probeFrame, sightingIn } from './probe-frame.ts';

const PROBES = 3;
const INTERVAL_MS = 100;
const LOOK_MS = 4;

/** Those of `addresses` that somebody has on the segment of `link`, or that this host has itself, which answers no probe of its own. */
export async function addressHolders(
  host: NetlinkSocket,
  link: string,
  addresses: readonly string[],
): Promise<Map<string, AddressHolder>> {
  const links = await readLinks(host);
  const own = await ownHolders(host, links, addresses);
  if (own.size > 0) return own;
  const at = links.find(({ name }) => name === link);
  // Where nothing can be sent, nobody can be disturbed.
  if (at?.up !== true || addresses.length === 0) return own;
  try {
    return await probe(at, addresses);
  } catch (error) {
    if (errorCode(error) === 'ENETDOWN') return own;
    throw refused(`probe ${addresses.join(', ')} on ${link}`, error);
  }
}

async function ownHolders(
  host: NetlinkSocket,
  links: readonly Link[],
  addresses: readonly string[],
): Promise<Map<string, AddressHolder>> {
  const holders = new Map<string, AddressHolder>();
  for (const family of [4, 6] as const) {
    for (const { address, link } of (await host.dump(dumpAddresses(family, 0))).map(parseAddress)) {
      const on = links.find(({ index }) => index === link);
      if (on !== undefined && addresses.includes(address)) holders.set(address, { mac: on.mac, link: on.name });
    }
  }
  return holders;
}

async function probe(link: Link, addresses: readonly string[]): Promise<Map<string, AddressHolder>> {
  const mac = Buffer.from(macBytes(link.mac));
  const sockets = open(link.index, addresses);
  const holders = new Map<string, AddressHolder>();
  try {
    const start = performance.now();
    for (let sent = 0; ;) {
      const round = Math.floor((performance.now() - start) / INTERVAL_MS);
      if (sent <= round && sent < PROBES) {
        for (const { socket, asks } of sockets) for (const address of asks) socket.send(probeFrame(address, mac));
        sent += 1;
      }
      for (const { socket } of sockets) hear(socket, link.mac, addresses, holders);
      if (holders.size > 0 || round >= PROBES) return holders;
      await sleep(LOOK_MS);
    }
  } finally {
    for (const { socket } of sockets) socket.close();
  }
}

interface Asking {
  readonly socket: PacketSocket;
  readonly asks: readonly string[];
}

function open(link: number, addresses: readonly string[]): Asking[] {
  const v4 = addresses.filter((address) => !address.includes(':'));
  const v6 = addresses.filter((address) => address.includes(':'));
  const sockets: Asking[] = [];
  if (v4.length > 0) sockets.push({ socket: openPacketSocket({ link, protocol: ETH_P_ARP }), asks: v4 });
  if (v6.length > 0) {
    const options = { link, protocol: ETH_P_IPV6, groups: v6.flatMap(groupsOf), filter: NEIGHBOUR_DISCOVERY };
    sockets.push({ socket: openPacketSocket(options), asks: v6 });
  }
  return sockets;
}

function hear(
  socket: PacketSocket,
  ownMac: string,
  addresses: readonly string[],
  holders: Map<string, AddressHolder>,
): void {
  for (let frame = socket.receive(); frame !== undefined; frame = socket.receive()) {
    const seen = sightingIn(frame);
    // A switch that reflects frames (VEPA) brings our own back.
    if (seen === undefined || seen.mac === ownMac || !addresses.includes(seen.address)) continue;
    // Two that ask at once would both stand back: the lower MAC has it.
    if (seen.says === 'asks' && seen.mac > ownMac) continue;
    holders.set(seen.address, { mac: seen.mac });
  }
}
