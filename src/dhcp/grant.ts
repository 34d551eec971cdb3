/**
 * What a server's ACK gives, checked: a server that is broken or hostile must not reach the kernel with it.
 */
import { contains, formatAddress, parseAddress, prefixAround, type Prefix } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { DhcpLease } from '../model/records.ts';
import { ipv4Text, NO_ADDRESS } from './ipv4.ts';
import { OPTION, type DhcpMessage } from './message.ts';

export interface Grant {
  readonly address: string;
  /** Of its subnet, option 1. */
  readonly length: number;
  /** Option 3, the first. */
  readonly gateway?: string;
  readonly lease: DhcpLease;
}

export interface Granting {
  readonly clientId: string;
  /** Source of the frame: the server, or the relay that leads to it. */
  readonly serverMac: string;
  /** Unix time in milliseconds when the request was sent: the lease counts from then (RFC 2131, 4.4.1). */
  readonly askedAtMs: number;
  /** The address was asked for by name. */
  readonly isFixed?: boolean;
}

/** Addresses that no host on a LAN has. */
const SENSELESS: readonly Prefix[] = [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['224.0.0.0', 3],
].map(([address, length]) => prefixAround(parseAddress(address as string), length as number));

/** T1 and T2 where the server names none, as parts of the lease (RFC 2131, 4.4.5). */
const RENEW_AFTER = 0.5;
const REBIND_AFTER = 0.875;
const NAME = /^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?$/i;

/** @throws TsnetError DRIVER where it cannot be used */
export function grantIn(ack: DhcpMessage, { clientId, serverMac, askedAtMs, isFixed }: Granting): Grant {
  const server = addressesIn(ack, OPTION.server)[0];
  if (server === undefined) throw unusable('an unnamed server', 'it does not say who it is (option 54)');
  const address = ack.yourAddress;
  const refuse = (why: string): TsnetError => unusable(server, why);
  if (SENSELESS.some((block) => contains(block, parseAddress(address)))) {
    throw refuse(`it gives ${address}, which no container can have`);
  }
  const length = lengthOf(ack.options.get(OPTION.subnetMask));
  if (length === undefined) throw refuse(`it gives ${address} without a subnet mask (option 1)`);
  const { first, last } = prefixAround(parseAddress(address), length);
  const { value } = parseAddress(address);
  if (length < 31 && (value === first || value === last)) {
    throw refuse(`it gives ${address}, which in its /${length} is no host's address`);
  }
  const gateway = addressesIn(ack, OPTION.router)[0];
  if (gateway !== undefined && !contains(prefixAround(parseAddress(address), length), parseAddress(gateway))) {
    throw refuse(`its router ${gateway} is not in the subnet of ${address}/${length}`);
  }
  const seconds = secondsIn(ack, OPTION.leaseTime);
  if (seconds === undefined || seconds === 0) throw refuse(`it gives ${address} without a lease time (option 51)`);
  const [t1, t2] = [secondsIn(ack, OPTION.renewalTime), secondsIn(ack, OPTION.rebindingTime)];
  const isOrdered = t1 !== undefined && t2 !== undefined && t1 > 0 && t1 <= t2 && t2 <= seconds;
  const after = (wanted: number): number => askedAtMs + Math.floor(wanted * 1000);
  const dns = addressesIn(ack, OPTION.domainServer);
  const domain = textIn(ack, OPTION.domainName);
  return {
    address,
    length,
    ...(gateway === undefined ? {} : { gateway }),
    lease: {
      clientId,
      server,
      serverMac,
      obtainedAtMs: askedAtMs,
      renewAtMs: after(isOrdered ? t1 : seconds * RENEW_AFTER),
      rebindAtMs: after(isOrdered ? t2 : seconds * REBIND_AFTER),
      expiresAtMs: after(seconds),
      ...(isFixed === true ? { isFixed } : {}),
      ...(dns.length === 0 ? {} : { dns }),
      ...(domain !== undefined && NAME.test(domain) ? { domain } : {}),
    },
  };
}

/** Addresses of an option, 4 bytes each; "0.0.0.0" is none. */
export function addressesIn({ options }: DhcpMessage, code: number): string[] {
  const bytes = options.get(code) ?? Buffer.alloc(0);
  const addresses: string[] = [];
  for (let at = 0; at + 4 <= bytes.length; at += 4) addresses.push(ipv4Text(bytes.subarray(at, at + 4)));
  return addresses.filter((address) => address !== NO_ADDRESS);
}

/** Text of a server, for a message to a person: what cannot be printed is left out. */
export function textIn({ options }: DhcpMessage, code: number): string | undefined {
  const text = options
    .get(code)
    ?.toString('latin1')
    .replace(/[^\x20-\x7e]/g, '')
    .trim();
  return text === '' ? undefined : text;
}

function secondsIn({ options }: DhcpMessage, code: number): number | undefined {
  const bytes = options.get(code);
  return bytes?.length === 4 ? bytes.readUInt32BE(0) : undefined;
}

/** Ones, then zeros: 255.255.255.0 is 24. */
function lengthOf(mask: Buffer | undefined): number | undefined {
  if (mask?.length !== 4) return undefined;
  const bits = mask.readUInt32BE(0);
  const length = Math.clz32(~bits);
  const isMask = bits === Number((0xffffffffn << BigInt(32 - length)) & 0xffffffffn);
  return isMask && length > 0 ? length : undefined;
}

function unusable(server: string, why: string): TsnetError {
  return new TsnetError('DRIVER', `DHCP server ${server}: ${why}; mend its configuration`);
}

/** "192.168.22.0/24" of a grant. */
export function subnetOf({ address, length }: Pick<Grant, 'address' | 'length'>): string {
  const { first } = prefixAround(parseAddress(address), length);
  return `${formatAddress({ family: 4, value: first })}/${length}`;
}
