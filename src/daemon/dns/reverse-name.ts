/** The names that addresses are asked for by (RFC 1035, 3.5; RFC 3596, 2.5). */
import { formatAddress } from '../../model/address.ts';

const V4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/;
const V6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/;

/** "3.0.18.172.in-addr.arpa" → "172.18.0.3"; undefined for all else. `name` in lower case. */
export function addressOfReverseName(name: string): string | undefined {
  const v4 = V4.exec(name);
  if (v4 !== null) {
    const bytes = v4.slice(1).reverse().map(Number);
    return bytes.every((byte) => byte <= 255) ? bytes.join('.') : undefined;
  }
  const digits = V6.exec(name)?.[1]?.split('.').reverse().join('');
  return digits === undefined ? undefined : formatAddress({ family: 6, value: BigInt(`0x${digits}`) });
}
