/**
 * Checks what a schema cannot: that the addresses of daemon.json are addresses, and that the keys fit each other. What Docker
 * refuses is a problem; what Docker ignores with a warning is a notice.
 */
import {
  broadcastOf,
  contains,
  containsPrefix,
  formatAddress,
  formatInterface,
  formatPrefix,
  overlaps,
  parseAddress,
  parseInterface,
  parsePrefix,
  type Address,
  type InterfaceAddress,
  type Prefix,
} from '../model/address.ts';
import type { ClusterConfig } from '../model/config.ts';
import { TsnetError } from '../model/error.ts';
import type { Family } from '../model/records.ts';
import { checkCluster } from './check-cluster.ts';
import type { DaemonFile } from './daemon-file.ts';

/** The addresses of the default network in one family, as far as they are given. */
export interface BridgeAddresses {
  readonly bip?: InterfaceAddress;
  readonly fixedCidr?: Prefix;
  readonly gateway?: Address;
}

export interface CheckedValues {
  readonly problems: readonly string[];
  readonly notices: readonly string[];
  readonly ipv4: BridgeAddresses;
  /** Empty while `ipv6` is false. */
  readonly ipv6: BridgeAddresses;
  readonly cluster?: ClusterConfig;
}

interface AddressKeys {
  readonly family: Family;
  readonly bip: 'bip' | 'bip6';
  readonly fixedCidr: 'fixed-cidr' | 'fixed-cidr-v6';
  readonly gateway: 'default-gateway' | 'default-gateway-v6';
}

const IPV4_KEYS: AddressKeys = { family: 4, bip: 'bip', fixedCidr: 'fixed-cidr', gateway: 'default-gateway' };
const IPV6_KEYS: AddressKeys = { family: 6, bip: 'bip6', fixedCidr: 'fixed-cidr-v6', gateway: 'default-gateway-v6' };

/** `given` are the keys that somebody set: a default is never blamed. */
export function checkValues(file: DaemonFile, given: ReadonlySet<string>): CheckedValues {
  const problems: string[] = [];
  const notices: string[] = [];
  const attempt = <T>(pointer: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof TsnetError)) throw error;
      problems.push(`${pointer}: ${error.message}`);
      return undefined;
    }
  };

  const ipv4 = readBridgeAddresses(file, IPV4_KEYS, attempt);
  const ipv6 = readBridgeAddresses(file, IPV6_KEYS, attempt);
  problems.push(...relationProblems(ipv4, IPV4_KEYS));
  const problems6 = relationProblems(ipv6, IPV6_KEYS);
  if (file.ipv6) {
    problems.push(...problems6);
  } else {
    notices.push(...ignoredIPv6(file));
    notices.push(...problems6.map((problem) => `${problem}; refused once "ipv6" is true`));
  }

  attempt('/ip', () => parseAddress(file.ip));
  file.dns.forEach((server, index) => attempt(`/dns/${index}`, () => parseAddress(server)));
  // By far the most to read, and every start does: the default is known to be sound.
  const pools = given.has('default-address-pools') ? file['default-address-pools'] : [];
  pools.forEach((pool, index) => {
    const pointer = `/default-address-pools/${index}`;
    const base = attempt(`${pointer}/base`, () => parsePrefix(pool.base));
    const bits = base?.family === 6 ? 128 : 32;
    if (base !== undefined && (pool.size < base.length || pool.size > bits)) {
      problems.push(`${pointer}/size: ${pool.size}: expected a prefix length from ${base.length} to ${bits}`);
    }
  });
  problems.push(...combinationProblems(file));
  if (given.has('ip-masq') && file['ip-masq'] && !file.iptables) {
    notices.push('ip-masq: off because "iptables" is false: masquerading is a firewall rule');
  }
  const { cluster, ...ofCluster } = checkCluster(file);
  problems.push(...ofCluster.problems);
  notices.push(...ofCluster.notices);
  return { problems, notices, ipv4, ipv6: file.ipv6 ? ipv6 : {}, ...(cluster === undefined ? {} : { cluster }) };
}

function readBridgeAddresses(
  file: DaemonFile,
  keys: AddressKeys,
  attempt: <T>(pointer: string, read: () => T) => T | undefined,
): BridgeAddresses {
  const read = <T>(
    key: keyof DaemonFile & AddressKeys[keyof AddressKeys],
    parse: (text: string) => T,
  ): T | undefined => {
    const text = file[key];
    return text === undefined || text === '' ? undefined : attempt(`/${key}`, () => parse(text));
  };
  const ofFamily = (text: string, family: Family): void => {
    if (family !== keys.family) throw new TsnetError('INVALID', `"${text}" is not IPv${keys.family}`);
  };
  const bip = read(keys.bip, (text) => {
    const found = parseInterface(text);
    ofFamily(text, found.address.family);
    return found;
  });
  const fixedCidr = read(keys.fixedCidr, (text) => {
    const { prefix } = parseInterface(text);
    ofFamily(text, prefix.family);
    return prefix;
  });
  const gateway = read(keys.gateway, (text) => {
    const found = parseAddress(text);
    ofFamily(text, found.family);
    return found;
  });
  return {
    ...(bip === undefined ? {} : { bip }),
    ...(fixedCidr === undefined ? {} : { fixedCidr }),
    ...(gateway === undefined ? {} : { gateway }),
  };
}

function relationProblems({ bip, fixedCidr, gateway }: BridgeAddresses, keys: AddressKeys): string[] {
  const problems: string[] = [];
  const subnet = bip?.prefix ?? fixedCidr;
  if (bip !== undefined && isReserved(bip)) {
    const why = 'leaves a bridge no address: that is the subnet or its broadcast; expected one inside';
    problems.push(`/${keys.bip}: ${formatInterface(bip)} ${why}`);
  }
  if (fixedCidr !== undefined && bip !== undefined && !containsPrefix(bip.prefix, fixedCidr)) {
    problems.push(
      `/${keys.fixedCidr}: ${formatPrefix(fixedCidr)} is outside of ${keys.bip}'s subnet ${formatPrefix(bip.prefix)}`,
    );
  }
  if (gateway !== undefined && subnet !== undefined && !contains(subnet, gateway)) {
    const given = bip === undefined ? keys.fixedCidr : keys.bip;
    problems.push(
      `/${keys.gateway}: ${formatAddress(gateway)} is outside of ${given}'s subnet ${formatPrefix(subnet)}`,
    );
  }
  if (keys.family === 6 && fixedCidr !== undefined) {
    const linkLocal = parsePrefix('fe80::/64');
    if (overlaps(fixedCidr, parsePrefix('ff00::/8')))
      problems.push(`/${keys.fixedCidr}: ${formatPrefix(fixedCidr)} is multicast`);
    if (overlaps(fixedCidr, linkLocal) && formatPrefix(fixedCidr) !== formatPrefix(linkLocal)) {
      problems.push(`/${keys.fixedCidr}: ${formatPrefix(fixedCidr)} overlaps the link-local fe80::/64`);
    }
  }
  return problems;
}

/** The network and broadcast addresses; /31 and /32 have none (RFC 3021). */
function isReserved({ address, prefix }: InterfaceAddress): boolean {
  if (prefix.length >= (prefix.family === 4 ? 31 : 127)) return false;
  return address.value === prefix.first || address.value === broadcastOf(prefix)?.value;
}

/** Docker reads these only when IPv6 is on. */
function ignoredIPv6(file: DaemonFile): string[] {
  const keys = [IPV6_KEYS.bip, IPV6_KEYS.fixedCidr, IPV6_KEYS.gateway].filter((key) => (file[key] ?? '') !== '');
  if (keys.length === 0) return [];
  return [`${keys.join(', ')}: ignored because "ipv6" is not true`];
}

function combinationProblems(file: DaemonFile): string[] {
  const problems: string[] = [];
  for (const key of ['bip', 'bip6'] as const) {
    if (file.bridge !== '' && (file[key] ?? '') !== '') {
      problems.push(`/bridge and /${key} exclude each other: the address of a bridge of your own is yours to set`);
    }
  }
  if (!file.icc && !file.iptables)
    problems.push('/icc: false needs /iptables true: isolation is made of firewall rules');
  if (!file.icc && file.ipv6 && !file.ip6tables) problems.push('/icc: false with ipv6 needs /ip6tables true');
  return problems;
}
