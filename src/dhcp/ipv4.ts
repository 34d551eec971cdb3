/** IPv4 addresses between text and the 4 bytes of a packet. */
import { formatAddress, parseAddress } from '../model/address.ts';

export const NO_ADDRESS = '0.0.0.0';
export const EVERYBODY = '255.255.255.255';

export function ipv4Bytes(text: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(Number(parseAddress(text).value));
  return bytes;
}

export function ipv4Text(bytes: Buffer): string {
  return formatAddress({ family: 4, value: BigInt(bytes.readUInt32BE(0)) });
}
