/**
 * DHCP messages in the frames that carry them: Ethernet, IPv4, UDP from port 68 to 67, without the host's IP stack, which has
 * no address to send from yet.
 */
import { formatMac, macBytes } from '../model/mac.ts';
import { ipv4Bytes } from './ipv4.ts';
import type { Envelope, Heard } from './segment.ts';

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const UDP_BYTES = 8;
const ETH_P_IP = 0x0800;
const UDP = 17;
const CLIENT_PORT = 68;
const SERVER_PORT = 67;
const TIME_TO_LIVE = 64;
const DONT_FRAGMENT = 0x4000;
const FRAGMENT = 0x3fff;

/** The frame of a client's message. `mac`: the client's. */
export function clientFrame(message: Buffer, mac: string, { from, to, toMac }: Envelope): Buffer {
  const udp = Buffer.alloc(UDP_BYTES);
  udp.writeUInt16BE(CLIENT_PORT, 0);
  udp.writeUInt16BE(SERVER_PORT, 2);
  udp.writeUInt16BE(UDP_BYTES + message.length, 4);
  const [source, target] = [ipv4Bytes(from), ipv4Bytes(to)];
  const pseudo = Buffer.concat([source, target, Buffer.from([0, UDP]), udp.subarray(4, 6)]);
  // A sum of zero would say that there is none (RFC 768).
  udp.writeUInt16BE(checksum([pseudo, udp, message]) || 0xffff, 6);
  const ip = Buffer.alloc(IPV4_BYTES);
  ip.writeUInt8(0x45, 0);
  ip.writeUInt16BE(IPV4_BYTES + UDP_BYTES + message.length, 2);
  ip.writeUInt16BE(DONT_FRAGMENT, 6);
  ip.writeUInt8(TIME_TO_LIVE, 8);
  ip.writeUInt8(UDP, 9);
  source.copy(ip, 12);
  target.copy(ip, 16);
  ip.writeUInt16BE(checksum([ip]), 10);
  const ethernet = Buffer.alloc(ETHERNET_BYTES);
  ethernet.set(macBytes(toMac), 0);
  ethernet.set(macBytes(mac), 6);
  ethernet.writeUInt16BE(ETH_P_IP, 12);
  return Buffer.concat([ethernet, ip, udp, message]);
}

/**
 * The message in a frame to a client's port, if it is one. Its checksums are not looked at: between namespaces and virtual
 * machines of one host the kernel leaves them to hardware that there is none of.
 */
export function heardIn(frame: Buffer): Heard | undefined {
  if (frame.length < ETHERNET_BYTES + IPV4_BYTES || frame.readUInt16BE(12) !== ETH_P_IP) return undefined;
  const packet = frame.subarray(ETHERNET_BYTES);
  const headerBytes = (packet.readUInt8(0) & 0x0f) * 4;
  const total = packet.readUInt16BE(2);
  if (packet.readUInt8(0) >> 4 !== 4 || packet.readUInt8(9) !== UDP) return undefined;
  if (headerBytes < IPV4_BYTES || total > packet.length || total < headerBytes + UDP_BYTES) return undefined;
  if ((packet.readUInt16BE(6) & FRAGMENT) !== 0) return undefined;
  const udp = packet.subarray(headerBytes, total);
  const length = udp.readUInt16BE(4);
  if (udp.readUInt16BE(2) !== CLIENT_PORT || length < UDP_BYTES || length > udp.length) return undefined;
  return { message: Buffer.from(udp.subarray(UDP_BYTES, length)), fromMac: formatMac(frame.subarray(6, 12)) };
}

/** The Internet checksum (RFC 1071); all pieces but the last have an even length. */
function checksum(pieces: readonly Buffer[]): number {
  let sum = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += 2) sum += ((piece[at] ?? 0) << 8) | (piece[at + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
