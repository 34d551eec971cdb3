/** Sorts the address flags of `create` into one request a subnet, as Docker's client does. */
import type { IpamRequest } from '../engine/engine.ts';
import { contains, containsPrefix, parseAddress, parseInterface } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';

export interface IpamFlags {
  readonly subnets: readonly string[];
  readonly ranges: readonly string[];
  readonly gateways: readonly string[];
  /** Name → address. */
  readonly aux: Readonly<Record<string, string>>;
}

interface Draft {
  subnet: string;
  range?: string;
  gateway?: string;
  aux?: Record<string, string>;
}

/**
 * Each range, gateway and aux address goes to the subnet that contains it.
 *
 * @throws TsnetError INVALID that names the value which fits no subnet, or a second one for the same subnet
 */
export function groupIpam({ subnets, ranges, gateways, aux }: IpamFlags): IpamRequest[] {
  refuseOverlap(subnets);
  const drafts = subnets.map((subnet): Draft => ({ subnet }));
  for (const range of ranges) {
    const draft = holder(drafts, '--ip-range', range);
    if (draft.range !== undefined) throw second('--ip-range', range, draft);
    draft.range = range;
  }
  for (const gateway of gateways) {
    const draft = holder(drafts, '--gateway', gateway);
    if (draft.gateway !== undefined) throw second('--gateway', gateway, draft);
    draft.gateway = gateway;
  }
  for (const [name, address] of Object.entries(aux)) {
    const draft = holder(drafts, `--aux-address ${name}=`, address);
    draft.aux = { ...draft.aux, [name]: address };
  }
  return drafts;
}

function refuseOverlap(subnets: readonly string[]): void {
  const prefixes = subnets.map((text) => ({ text, prefix: parseInterface(text).prefix }));
  for (const [index, a] of prefixes.entries()) {
    for (const b of prefixes.slice(index + 1)) {
      if (containsPrefix(a.prefix, b.prefix) || containsPrefix(b.prefix, a.prefix)) {
        throw new TsnetError('INVALID', `--subnet ${a.text} and --subnet ${b.text} overlap; give one of them`);
      }
    }
  }
}

function holder(drafts: readonly Draft[], flag: string, value: string): Draft {
  const found = drafts.find(({ subnet }) => {
    const { prefix } = parseInterface(subnet);
    return value.includes('/')
      ? containsPrefix(prefix, parseInterface(value).prefix)
      : contains(prefix, parseAddress(value));
  });
  if (found !== undefined) return found;
  const hint =
    drafts.length === 0
      ? 'give the --subnet that contains it'
      : `no --subnet contains it (${drafts.map(({ subnet }) => subnet).join(', ')})`;
  throw new TsnetError('INVALID', `${flag.endsWith('=') ? flag : `${flag} `}${value}: ${hint}`);
}

function second(flag: string, value: string, { subnet }: Draft): TsnetError {
  return new TsnetError('INVALID', `${flag} ${value}: subnet ${subnet} has one already`);
}
