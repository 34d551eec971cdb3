/**
 * Subnets as people type them, read by ip-cidr: for configuration files and new networks.
 *
 * Loading ip-cidr costs some 8 ms and one parse 0.2 ms, so only what runs once per file or per network imports this page;
 * what has been read is arithmetic from there on (`address.ts`).
 */
import IPCIDR from 'ip-cidr';
import { formatPrefix, parseInterface, parsePrefix, type InterfaceAddress, type Prefix } from './address.ts';
import { TsnetError } from './error.ts';

function check(text: string, what: string, example: string): void {
  if (!IPCIDR.isValidCIDR(text)) {
    throw new TsnetError('INVALID', `"${text}" is not ${what}; expected one such as ${example}`);
  }
}

/** The block that ip-cidr sees; ours must be the same, else one of the two misread the text. */
function agree(text: string, { first, last, ...rest }: Prefix): void {
  const cidr = new IPCIDR(text);
  const seen = cidr.toRange<bigint>({ type: 'bigInteger' });
  if (seen[0] !== first || seen[1] !== last) {
    throw new TsnetError(
      'INVALID',
      `"${text}" can be read as different subnets; write it as ${formatPrefix({ first, last, ...rest })}`,
    );
  }
}

/**
 * A subnet, "10.0.0.0/8": no host bits.
 * @throws TsnetError INVALID
 */
export function readCidr(text: string): Prefix {
  check(text, 'a subnet', '10.20.0.0/16 or fd00:20::/64');
  const prefix = parsePrefix(text);
  agree(text, prefix);
  return prefix;
}

/**
 * An address with its subnet's length, "192.168.1.5/24".
 * @throws TsnetError INVALID
 */
export function readInterfaceCidr(text: string): InterfaceAddress {
  check(text, 'an address with a prefix length', '192.168.1.5/24 or fd00:20::5/64');
  const read = parseInterface(text);
  agree(text, read.prefix);
  return read;
}
