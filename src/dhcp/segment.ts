/** Where DHCP messages go and come from: one link's segment (implemented in `src/kernel/dhcp-segment.ts`). */

/** Ethernet's broadcast address. */
export const EVERY_MAC = 'ff:ff:ff:ff:ff:ff';

export interface Envelope {
  /** IPv4 address of the sender; "0.0.0.0" before it has one. */
  readonly from: string;
  readonly to: string;
  /** Who on the segment takes the frame: everybody, the server, or the router that leads to it. */
  readonly toMac: string;
}

/** What a server, or the relay before it, sent to a client's port. */
export interface Heard {
  readonly message: Buffer;
  readonly fromMac: string;
}

export interface DhcpSegment {
  /** Sends as the client: its MAC, port 68, to port 67. Throws TsnetError KERNEL where the link does not take it. */
  send(message: Buffer, envelope: Envelope): void;
  /** The next message that has come for some client; undefined when none comes in time. */
  receive(timeoutMs: number): Promise<Heard | undefined>;
  close(): void;
}
