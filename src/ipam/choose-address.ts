/**
 * Which address comes next.
 *
 * Next-free after the last one given, wrapping: a released address comes back as late as possible, so that caches of
 * neighbours, resolvers and conntrack have forgotten it. Held addresses are skipped run by run, so the cost does not
 * depend on the size of the subnet or on how many addresses are held, only on the handful of reserved ones.
 *
 * A released address rests in quarantine, which holds it like any other. When nothing else is free the one that rested
 * longest is taken: the MAC address follows the IP address, so a neighbour with a stale entry reaches the right container
 * even then. Late reuse is a courtesy to longer memories, not a condition. An address that somebody on the LAN has rests too,
 * and is never taken before its time.
 */
import { canonicalAddress, familyOf, formatAddress, parseAddress, parsePrefix } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import type { Leases } from '../model/ledger.ts';
import type { Family, Pool } from '../model/records.ts';
import { dynamicSpan, hostProblem, reservations, type Span } from './usable.ts';

export interface ChooseAddressInput {
  /** The network's name, for messages. */
  readonly network: string;
  /** The network's pools; those of the other family are passed over. */
  readonly pools: readonly Pool[];
  readonly family: Family;
  readonly leases: Leases;
  /** Further addresses that must not be given. */
  readonly reserved?: readonly string[];
}

export interface ChosenAddress {
  /** "172.17.0.2" */
  readonly address: string;
  /** Length of the subnet it lies in. */
  readonly length: number;
  readonly pool: Pool;
  /** `quarantine`: it is still held there; holding it for somebody else ends that. */
  readonly from: 'free' | 'quarantine';
}

/** A pool with what may be given out of it. */
interface Source {
  readonly pool: Pool;
  readonly span: Span;
  readonly reserved: ReadonlyMap<bigint, string>;
}

function sourcesOf({ pools, family, reserved = [] }: ChooseAddressInput): Source[] {
  const extra = reserved.map((address) => [parseAddress(address).value, 'reserved'] as const);
  return pools
    .filter(({ subnet }) => familyOf(subnet) === family)
    .map((pool) => ({ pool, span: dynamicSpan(pool), reserved: new Map([...extra, ...reservations(pool)]) }));
}

function firstFree({ first, last }: Span, { reserved }: Source, leases: Leases): bigint | undefined {
  for (let candidate = first; candidate <= last; candidate++) {
    if (reserved.has(candidate)) continue;
    const run = leases.takenRunAt(candidate);
    if (run === undefined) return candidate;
    candidate = run.end;
  }
  return undefined;
}

function nextFree(source: Source, leases: Leases): bigint | undefined {
  const { first, last } = source.span;
  const after = leases.last;
  if (after === undefined || after < first || after >= last) return firstFree(source.span, source, leases);
  return firstFree({ first: after + 1n, last }, source, leases) ?? firstFree({ first, last: after }, source, leases);
}

function longestResting(sources: readonly Source[], leases: Leases): { source: Source; value: bigint } | undefined {
  for (const { address: value, foreign } of leases.quarantined()) {
    if (foreign === true) continue;
    const source = sources.find(
      ({ span, reserved }) => span.first <= value && value <= span.last && !reserved.has(value),
    );
    if (source !== undefined) return { source, value };
  }
  return undefined;
}

/**
 * The address that a new endpoint gets.
 * @throws TsnetError EXHAUSTED
 */
export function chooseAddress(input: ChooseAddressInput): ChosenAddress {
  const { family, leases } = input;
  const sources = sourcesOf(input);
  const chosen = ({ pool }: Source, value: bigint, from: ChosenAddress['from']): ChosenAddress => ({
    address: formatAddress({ family, value }),
    length: parsePrefix(pool.subnet).length,
    pool,
    from,
  });
  for (const source of sources) {
    const value = nextFree(source, leases);
    if (value !== undefined) return chosen(source, value, 'free');
  }
  const resting = longestResting(sources, leases);
  if (resting !== undefined) return chosen(resting.source, resting.value, 'quarantine');
  throw exhausted(input, sources);
}

function usableCount({ span, reserved }: Source): bigint {
  const inSpan = [...reserved.keys()].filter((value) => span.first <= value && value <= span.last);
  const size = span.last - span.first + 1n - BigInt(inSpan.length);
  return size > 0n ? size : 0n;
}

function exhausted({ network, family }: ChooseAddressInput, sources: readonly Source[]): TsnetError {
  if (sources.length === 0) {
    return new TsnetError('EXHAUSTED', `network ${network} has no IPv${family} subnet to take an address from`);
  }
  const where = sources.map(({ pool }) => (pool.range === undefined ? pool.subnet : `range ${pool.range}`)).join(', ');
  const count = sources.reduce((sum, source) => sum + usableCount(source), 0n);
  return new TsnetError(
    'EXHAUSTED',
    `no free IPv${family} address in network ${network}: all ${count} of ${where} are held; ` +
      'disconnect containers, or make a network with a larger subnet',
  );
}

/** A requested address that lies well in the network. */
export interface CheckedAddress {
  readonly address: string;
  readonly length: number;
  readonly pool: Pool;
}

/**
 * Whether an address that somebody asks for by name (`--ip`) can be given at all; whether it is held is for the caller,
 * who can name the holder. It may lie outside the range of dynamic addresses.
 * @throws TsnetError INVALID or FORBIDDEN
 */
export function checkAddress(input: {
  readonly network: string;
  readonly pools: readonly Pool[];
  readonly address: string;
}): CheckedAddress {
  const { network, pools } = input;
  const address = canonicalAddress(input.address);
  const parsed = parseAddress(address);
  for (const pool of pools) {
    const subnet = parsePrefix(pool.subnet);
    if (subnet.family !== parsed.family || parsed.value < subnet.first || parsed.value > subnet.last) continue;
    const problem = hostProblem(subnet, parsed);
    if (problem !== undefined) throw new TsnetError('INVALID', `address for network ${network}: ${problem}`);
    const holder = reservations(pool).get(parsed.value);
    if (holder !== undefined) {
      throw new TsnetError('FORBIDDEN', `address ${address} is ${holder} of network ${network}; choose another`);
    }
    return { address, length: subnet.length, pool };
  }
  const subnets = pools.map(({ subnet }) => subnet).join(', ');
  throw new TsnetError(
    'INVALID',
    `address ${address} lies in no subnet of network ${network}; ${subnets === '' ? 'it has none' : `they are ${subnets}`}`,
  );
}

/**
 * Quarantined addresses whose rest is over, oldest first: for the caller to release. Called with every release it keeps
 * the quarantine as small as the traffic of one quarantine time.
 */
export function restedAddresses(input: {
  readonly leases: Leases;
  readonly family: Family;
  readonly nowMs: number;
  readonly atMost: number;
}): string[] {
  const rested: string[] = [];
  for (const { address: value, untilMs } of input.leases.quarantined()) {
    if (untilMs > input.nowMs || rested.length >= input.atMost) break;
    rested.push(formatAddress({ family: input.family, value }));
  }
  return rested;
}
