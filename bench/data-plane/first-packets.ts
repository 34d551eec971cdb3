/**
 * First packets of TCP connections, as fast as one processor carries them.
 *
 * What a published port costs a new connection is paid by its first packet: the kernel looks up where the port leads, makes
 * the entry of connection tracking, and no later packet is looked up again. So the generator sends SYNs, each from another
 * source, and the container drops them (`sink` below). Of the 6 to 10 µs that such a packet takes, its making and sending is
 * less than 2; a program that connects and closes real sockets takes ten times as long, and would hide in that time what is
 * to be seen.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { openRaw, packetBatch, within, type PacketBatch } from './sockets.ts';

const IPV4_BYTES = 20;
const TCP_BYTES = 20;
const PROTOCOL_TCP = 6;
const FLAG_SYN = 2;
const FIRST_SOURCE_PORT = 1024;
const SOURCE_PORTS = 60_000;
const MOST_AT_ONCE = 2048;

export interface FirstPackets {
  /** Sends `count` first packets, ≤ 2,048; packet n goes to `portOf(n)`. Milliseconds that it took. */
  send(count: number, portOf: (packet: number) => number): number;
}

export interface Way {
  /** Namespace that sends. */
  readonly from: string;
  /** The two upper bytes of the sources: "198.18". The host must route them to `from`. */
  readonly sources: string;
  /** Where the packets go. */
  readonly to: string;
  /** Namespace that they end in. */
  readonly into: string;
}

/** The one's complement sum of RFC 1071 over an even number of bytes. */
function sum(bytes: Buffer, start: number, end: number): number {
  let total = 0;
  for (let at = start; at < end; at += 2) total += bytes.readUInt16BE(at);
  return total;
}

function checksum(total: number): number {
  const folded = (total & 0xffff) + (total >>> 16);
  return ~((folded & 0xffff) + (folded >>> 16)) & 0xffff;
}

/** All that is the same in all packets. The kernel writes length, identification and checksum of the IP header. */
function prepare(packet: Buffer, { sources, to }: Way): void {
  packet.set([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, PROTOCOL_TCP]);
  packet.set(`${sources}.0.0`.split('.').map(Number), 12);
  packet.set(to.split('.').map(Number), 16);
  packet[IPV4_BYTES + 12] = (TCP_BYTES / 4) << 4;
  packet[IPV4_BYTES + 13] = FLAG_SYN;
  packet.writeUInt16BE(0xffff, IPV4_BYTES + 14);
}

/** From source number `source`, to `port`. */
function address(packet: Buffer, source: number, port: number): void {
  // Third and fourth byte of the source: from .1.1 on, clear of the client's own address.
  packet.writeUInt16BE(0x0101 + Math.floor(source / SOURCE_PORTS), 14);
  packet.writeUInt16BE(FIRST_SOURCE_PORT + (source % SOURCE_PORTS), IPV4_BYTES);
  packet.writeUInt16BE(port, IPV4_BYTES + 2);
  packet.writeUInt32BE(source, IPV4_BYTES + 4);
  packet.writeUInt16BE(0, IPV4_BYTES + 16);
  const total = sum(packet, 12, IPV4_BYTES + TCP_BYTES) + PROTOCOL_TCP + TCP_BYTES;
  packet.writeUInt16BE(checksum(total), IPV4_BYTES + 16);
}

/** Packets that have come in by `eth0` of a namespace. */
function arrived(netns: string): number {
  const text = within(netns, () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
  return Number(/eth0:\s*\d+\s+(\d+)/.exec(text)?.[1]);
}

/** The container takes connections of the client itself and drops what claims to come from elsewhere, before it costs. */
function sink({ into, from, sources }: Way): void {
  const rules = `table ip sink {
    chain in { type filter hook prerouting priority raw; ip saddr ${sources}.0.2 accept; ip saddr ${sources}.0.0/16 drop; }
  }\n`;
  execFileSync('nsenter', [`--net=${into}`, 'nft', '-f', '-'], { input: rules });
  // Whoever the packets meet on their way is known before the clock runs.
  execFileSync('nsenter', [`--net=${from}`, 'ping', '-c1', '-W2', `${sources}.0.1`], { stdio: 'ignore' });
}

/** All entries of connection tracking of this namespace: the table holds a few hundred thousand for the whole machine. */
export function forgetConnections(): void {
  execFileSync('conntrack', ['--flush'], { stdio: 'ignore' });
}

export function firstPackets(way: Way): FirstPackets {
  sink(way);
  const fd = within(way.from, () => openRaw(way.to));
  const batch: PacketBatch = packetBatch(MOST_AT_ONCE, IPV4_BYTES + TCP_BYTES);
  for (const packet of batch.packets) prepare(packet, way);
  let next = 0;
  return {
    send(count, portOf) {
      for (let index = 0; index < count; index += 1) {
        const packet = batch.packets[index];
        if (packet !== undefined) address(packet, next, portOf(index));
        next += 1;
      }
      const before = arrived(way.into);
      const started = performance.now();
      batch.send(fd, count);
      const took = performance.now() - started;
      const lost = count - (arrived(way.into) - before);
      if (lost > count / 100) throw new Error(`${lost} of ${count} packets to ${way.to} did not arrive`);
      return took;
    },
  };
}
