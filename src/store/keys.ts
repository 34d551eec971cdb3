/**
 * The keys of the ledger, table by table. Numbers that are sorted have a fixed width.
 */
import { familyOf, formatAddress } from '../model/address.ts';
import type { Family, Protocol } from '../model/records.ts';

export const META = {
  /** Layout of the keys and records. */
  version: 'meta/version',
  /** Counts the changes of networks, in both environments: equal numbers, matching states. */
  generation: 'meta/generation',
  /** Counts all changes, in the volatile environment. */
  revision: 'meta/revision',
  /** Made once for each data-root. */
  installation: 'meta/installation',
} as const;

/** Hex digits of fixed width: sorts as the addresses do. */
function digits(family: Family, value: bigint): string {
  return value.toString(16).padStart(family === 4 ? 8 : 32, '0');
}

export function addressOf(family: Family, sorted: string): string {
  return formatAddress({ family, value: BigInt(`0x${sorted}`) });
}

/** Tables of the leases of one network in one family. */
export function leaseTables(networkId: string, family: Family) {
  const table = (name: string): string => `${name}/${networkId}/${family}/`;
  const [leases, runs, resting] = [table('lease'), table('run'), table('resting')];
  return {
    leases,
    runs,
    resting,
    last: `last/${networkId}/${family}`,
    lease: (value: bigint) => leases + digits(family, value),
    /** Keyed by the start of the run. */
    run: (start: bigint) => runs + digits(family, start),
    /** Keyed by the end of the rest, 13 digits of milliseconds until the year 2286. */
    rest: (untilMs: number, value: bigint) =>
      `${resting}${String(Math.floor(untilMs)).padStart(15, '0')}/${digits(family, value)}`,
  };
}

/** Tables that hold nothing but one network's. */
export function tablesOfNetwork(networkId: string): string[] {
  return ['lease', 'run', 'resting', 'last'].map((name) => `${name}/${networkId}/`);
}

export function realizedKey(networkId: string): string {
  return `realized/${networkId}`;
}

export function ephemeralKey(protocol: Protocol): string {
  return `ephemeral/${protocol}`;
}

/** All claims of one family; then by host address. */
export function portTable(protocol: Protocol, family: Family): string {
  return `port/${protocol}/${family}/`;
}

export function portTableOf(protocol: Protocol, hostAddress: string): string {
  return `${portTable(protocol, familyOf(hostAddress))}${hostAddress}/`;
}

/** Keyed by the first port; the claims of one address are disjoint. */
export function portKey(protocol: Protocol, hostAddress: string, port: number): string {
  return `${portTableOf(protocol, hostAddress)}${String(port).padStart(5, '0')}`;
}
