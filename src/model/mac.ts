/**
 * Ethernet addresses: canonical text "02:42:ac:11:00:02".
 */
import { parseAddress } from './address.ts';
import { TsnetError } from './error.ts';

const FORMS = [
  /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i,
  /^[0-9a-f]{2}(-[0-9a-f]{2}){5}$/i,
  /^[0-9a-f]{4}(\.[0-9a-f]{4}){2}$/i,
];

/**
 * Canonical text of a unicast address, typed with colons, hyphens or in Cisco's dotted form.
 * @throws TsnetError INVALID
 */
export function parseMac(text: string): string {
  if (!FORMS.some((form) => form.test(text))) {
    throw new TsnetError('INVALID', `"${text}" is not a MAC address; expected six bytes such as 02:42:ac:11:00:02`);
  }
  const mac = formatMac(Buffer.from(text.replace(/[:.-]/g, ''), 'hex'));
  const bytes = macBytes(mac);
  if (bytes.every((byte) => byte === 0)) {
    throw new TsnetError('INVALID', `MAC address ${mac} is all zeros; the kernel refuses it on a link`);
  }
  if (((bytes[0] ?? 0) & 1) === 1) {
    throw new TsnetError(
      'INVALID',
      `MAC address ${mac} is a group address; a link needs a unicast one: an even first byte, best 02`,
    );
  }
  return mac;
}

export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** The six bytes of canonical text. */
export function macBytes(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(':'), (byte) => parseInt(byte, 16));
}

/**
 * The address that Docker gave containers for years: 02:42, then the IPv4 bytes. It follows the IP address, so a neighbour
 * that remembers a reused IP still reaches its new holder.
 *
 * Of an IPv6 address the four 32-bit words are folded by XOR: within one /96 no two addresses get the same MAC.
 * @throws TsnetError INVALID for what is not an address
 */
export function macFromAddress(address: string): string {
  let { value } = parseAddress(address);
  let word = 0n;
  for (; value > 0n; value >>= 32n) word ^= value & 0xffffffffn;
  const bytes = Buffer.from([0x02, 0x42, 0, 0, 0, 0]);
  bytes.writeUInt32BE(Number(word), 2);
  return formatMac(bytes);
}
