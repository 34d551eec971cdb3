/**
 * A link's segment as a DHCP client hears it (packet(7)).
 *
 * The client is a container whose link stands on this one. It need not be there yet: the frames carry its MAC all the same. Once
 * it is there, the kernel hands frames for its MAC to it before sockets of one protocol see them on the parent; a socket of all
 * protocols sees them first, and the filter keeps the others out.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { clientFrame, heardIn } from '../dhcp/frame.ts';
import type { DhcpSegment } from '../dhcp/segment.ts';
import { macBytes } from '../model/mac.ts';
import { TsnetError } from '../model/error.ts';
import { readLinks } from './facts.ts';
import { refused } from './kernel-refusal.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { openPacketSocket, type FilterInstruction, type PacketSocket } from './packet-socket.ts';

const ETH_P_ALL = 0x0003;
const LOOK_MS = 4;

/** Lets through unfragmented UDP over IPv4 to port 68: BPF_LD, BPF_JMP, BPF_LDX|B|MSH (length of the IP header), BPF_RET. */
const TO_CLIENTS: readonly FilterInstruction[] = [
  [0x28, 0, 0, 12],
  [0x15, 0, 8, 0x0800],
  [0x30, 0, 0, 23],
  [0x15, 0, 6, 17],
  [0x28, 0, 0, 20],
  [0x45, 4, 0, 0x3fff],
  [0xb1, 0, 0, 14],
  [0x48, 0, 0, 16],
  [0x15, 0, 1, 68],
  [0x06, 0, 0, 0xffff],
  [0x06, 0, 0, 0],
];

/**
 * Opens it for the client with this MAC.
 * @throws TsnetError NOT_FOUND or KERNEL where the link is not there or not up
 */
export async function openDhcpSegment(host: NetlinkSocket, link: string, mac: string): Promise<DhcpSegment> {
  const attempt = `ask for an address on ${link}`;
  const at = (await readLinks(host)).find(({ name }) => name === link);
  if (at === undefined) throw new TsnetError('NOT_FOUND', `cannot ${attempt}: there is no such link on this host`);
  if (!at.up)
    throw new TsnetError('KERNEL', `cannot ${attempt}: it is down; bring it up first (ip link set ${link} up)`);
  let socket: PacketSocket;
  try {
    const options = { link: at.index, protocol: ETH_P_ALL, stations: [Buffer.from(macBytes(mac))], filter: TO_CLIENTS };
    socket = openPacketSocket(options);
  } catch (error) {
    throw refused(attempt, error);
  }
  return {
    send: (message, envelope) => {
      try {
        socket.send(clientFrame(message, mac, envelope));
      } catch (error) {
        throw refused(attempt, error);
      }
    },
    receive: async (timeoutMs) => {
      const end = performance.now() + timeoutMs;
      for (;;) {
        for (let frame = socket.receive(); frame !== undefined; frame = socket.receive()) {
          const heard = heardIn(frame);
          if (heard !== undefined) return heard;
        }
        if (performance.now() >= end) return undefined;
        await sleep(LOOK_MS);
      }
    },
    close: () => {
      socket.close();
    },
  };
}
