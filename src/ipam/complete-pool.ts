/**
 * From what was asked of a subnet (`--subnet --gateway --ip-range --aux-address`) to a pool that is complete and sound.
 *
 * Everything that is wrong is said at once, as Docker does. Runs once per network, so it may read with ip-cidr.
 */
import {
  contains,
  containsPrefix,
  formatAddress,
  formatPrefix,
  isAddress,
  overlaps,
  parseAddress,
  type Prefix,
} from '../model/address.ts';
import { readCidr, readInterfaceCidr } from '../model/cidr.ts';
import { TsnetError } from '../model/error.ts';
import type { Pool } from '../model/records.ts';
import { dynamicSpan, hostProblem } from './usable.ts';

/** One subnet as it was asked for, its subnet chosen if it was left out. */
export interface PoolRequest {
  readonly subnet: string;
  readonly gateway?: string;
  readonly range?: string;
  /** Next hop for containers when it is not the gateway (`default-gateway`). */
  readonly route?: string;
  readonly aux?: Readonly<Record<string, string>>;
}

export interface CompletePoolsInput {
  readonly requests: readonly PoolRequest[];
  /** `default`: the first free address of the range or subnet unless one is given; `given`: only a given one. */
  readonly gateway: 'default' | 'given';
}

/** Aux names by which Docker hands containers another next hop than the gateway. */
const ROUTE_NAMES = { 4: 'DefaultGatewayIPv4', 6: 'DefaultGatewayIPv6' } as const;

/** What never leaves a host or names no host. */
const SENSELESS: readonly (readonly [string, string])[] = [
  ['127.0.0.0/8', 'loopback'],
  ['224.0.0.0/4', 'multicast'],
  ['::1/128', 'loopback'],
  ['ff00::/8', 'multicast'],
];

type Complain = (problem: string) => void;

/** The value, or undefined after the complaint. */
function attempt<T>(read: () => T, complain: Complain): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TsnetError)) throw error;
    complain(error.message);
    return undefined;
  }
}

function readSubnet(text: string, complain: Complain): Prefix | undefined {
  const subnet = attempt(() => readCidr(text), complain);
  const senseless = subnet && SENSELESS.find(([block]) => overlaps(readCidr(block), subnet));
  if (subnet === undefined || senseless === undefined) return subnet;
  complain(`subnet ${text} overlaps the ${senseless[1]} addresses ${senseless[0]}`);
  return undefined;
}

/** The range without host bits: Docker takes 192.168.1.5/25 for 192.168.1.0/25. */
function readRange(text: string, subnet: Prefix, complain: Complain): string | undefined {
  const range = attempt(() => readInterfaceCidr(text).prefix, complain);
  if (range === undefined) return undefined;
  if (!containsPrefix(subnet, range)) complain(`range ${text} is not inside subnet ${formatPrefix(subnet)}`);
  return formatPrefix(range);
}

function readHost(what: string, text: string, subnet: Prefix, complain: Complain): string | undefined {
  if (!isAddress(text)) {
    complain(`${what} "${text}" is not an IP address`);
    return undefined;
  }
  const address = parseAddress(text);
  const problem = hostProblem(subnet, address);
  if (problem !== undefined) complain(`${what} ${problem}`);
  return formatAddress(address);
}

/** The first address of the range, or subnet, that no aux address holds. */
function defaultGateway(pool: Pool, subnet: Prefix, complain: Complain): string | undefined {
  const { first, last } = dynamicSpan(pool);
  const aux = new Set(Object.values(pool.aux));
  for (let value = first; value <= last; value++) {
    const gateway = formatAddress({ family: subnet.family, value });
    if (!aux.has(gateway)) return gateway;
  }
  complain(`no address of ${pool.range ?? pool.subnet} is left for the gateway`);
  return undefined;
}

function readAux(request: PoolRequest, subnet: Prefix, complain: Complain): Record<string, string> {
  const aux: Record<string, string> = {};
  const names = new Map<string, string>();
  for (const [name, text] of Object.entries(request.aux ?? {})) {
    const address = readHost(`aux address "${name}"`, text, subnet, complain);
    if (address === undefined) continue;
    const twin = names.get(address);
    if (twin !== undefined) complain(`aux addresses "${twin}" and "${name}" are both ${address}`);
    names.set(address, name);
    aux[name] = address;
  }
  return aux;
}

function completePool(
  request: PoolRequest,
  policy: CompletePoolsInput['gateway'],
  complain: Complain,
): Pool | undefined {
  const subnet = readSubnet(request.subnet, complain);
  if (subnet === undefined) return undefined;
  const aux = readAux(request, subnet, complain);
  const range = request.range === undefined ? undefined : readRange(request.range, subnet, complain);
  const routed =
    request.route === undefined
      ? aux[ROUTE_NAMES[subnet.family]]
      : readHost('default gateway', request.route, subnet, complain);
  const pool: Pool = {
    subnet: formatPrefix(subnet),
    ...(range === undefined ? {} : { range }),
    ...(routed === undefined ? {} : { route: routed }),
    aux,
  };
  const given = request.gateway === undefined ? undefined : readHost('gateway', request.gateway, subnet, complain);
  const twin = Object.entries(aux).find(([, address]) => address === given)?.[0];
  if (twin !== undefined) complain(`gateway and aux address "${twin}" are both ${String(given)}`);
  const missing = request.gateway === undefined && policy === 'default';
  const inside = range === undefined || containsPrefix(subnet, readCidr(range));
  const gateway = missing && inside ? defaultGateway(pool, subnet, complain) : given;
  return gateway === undefined ? pool : { ...pool, gateway };
}

/**
 * The pools of a new network.
 * @throws TsnetError INVALID with everything that is wrong, in one line
 */
export function completePools({ requests, gateway }: CompletePoolsInput): Pool[] {
  const problems: string[] = [];
  const complain: Complain = (problem) => {
    if (!problems.includes(problem)) problems.push(problem);
  };
  const pools = requests.flatMap((request) => completePool(request, gateway, complain) ?? []);
  const subnets = pools.map((pool) => readCidr(pool.subnet));
  subnets.forEach((subnet, index) => {
    const twin = subnets.slice(0, index).find((other) => overlaps(subnet, other));
    if (twin !== undefined) complain(`subnets ${formatPrefix(twin)} and ${formatPrefix(subnet)} overlap`);
  });
  if (problems.length > 0) throw new TsnetError('INVALID', problems.join('; '));
  return pools;
}

/** The pool, of those given, that an address or prefix belongs to: how ranges, gateways and aux addresses find their subnet. */
export function subnetFor(subnets: readonly string[], text: string): string | undefined {
  const bare = text.includes('/') ? readInterfaceCidr(text).address : parseAddress(text);
  return subnets.find((subnet) => contains(readCidr(subnet), bare));
}
