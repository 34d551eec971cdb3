/**
 * Who holds which host ports. A range is one claim; the claims of one protocol and host address are disjoint, so that
 * whatever collides with a range is found by seeking backwards from its end.
 */
import { familyOf } from '../model/address.ts';
import type { PortClaim } from '../model/ledger.ts';
import type { Family, Protocol, PublishedPort } from '../model/records.ts';
import type { KeyValues } from './key-values.ts';
import { portKey, portTable, portTableOf } from './keys.ts';

const WILDCARD = { 4: '0.0.0.0', 6: '::' } as const;

/** Claims on one host address that overlap `first` to `last`, the highest first. */
function overlapping(
  pairs: KeyValues,
  protocol: Protocol,
  hostAddress: string,
  { first, last }: { readonly first: number; readonly last: number },
): PortClaim[] {
  const table = portTableOf(protocol, hostAddress);
  const found: PortClaim[] = [];
  for (let port = last; port >= 0;) {
    const claim = pairs.atOrBefore(table, portKey(protocol, hostAddress, port))?.value as PortClaim | undefined;
    if (claim === undefined || claim.hostPort + claim.count - 1 < first) break;
    found.push(claim);
    port = claim.hostPort - 1;
  }
  return found;
}

/** The host addresses of one family that have claims, the wildcard as well if it has none: one seek each. */
function claimedAddresses(pairs: KeyValues, table: string, family: Family): string[] {
  const wildcard = WILDCARD[family];
  const addresses: string[] = [wildcard];
  // No IPv4 address sorts before its wildcard, which is mostly the only one.
  let entry = pairs.atOrAfter(table, family === 4 ? `${table}${wildcard}0` : table);
  while (entry !== undefined) {
    const address = entry.key.slice(table.length, entry.key.lastIndexOf('/'));
    if (address !== wildcard) addresses.push(address);
    entry = pairs.atOrAfter(table, `${table}${address}0`);
  }
  return addresses;
}

/** Claims that collide: same protocol, overlapping range, the same address or a wildcard of its family on either side. */
export function portConflicts(pairs: KeyValues, wanted: PublishedPort): PortClaim[] {
  const { protocol, hostAddress, hostPort, count } = wanted;
  const family = familyOf(hostAddress);
  const addresses =
    hostAddress === WILDCARD[family]
      ? claimedAddresses(pairs, portTable(protocol, family), family)
      : [hostAddress, WILDCARD[family]];
  return addresses
    .flatMap((address) => overlapping(pairs, protocol, address, { first: hostPort, last: hostPort + count - 1 }))
    .sort((a, b) => a.hostPort - b.hostPort);
}

function isSame(a: PortClaim, b: PortClaim): boolean {
  return (
    a.endpointId === b.endpointId &&
    a.protocol === b.protocol &&
    a.hostAddress === b.hostAddress &&
    a.hostPort === b.hostPort &&
    a.count === b.count
  );
}

/** Claims ports, unless another claim collides: that one is answered, and nothing is written. */
export function claimPort(pairs: KeyValues, claim: PortClaim): PortClaim | undefined {
  const [conflict] = portConflicts(pairs, claim);
  if (conflict === undefined) pairs.put(portKey(claim.protocol, claim.hostAddress, claim.hostPort), claim);
  return conflict;
}

/** Lets go of a claim; nothing happens when it is somebody else's or not there. */
export function releasePort(pairs: KeyValues, claim: PortClaim): void {
  const key = portKey(claim.protocol, claim.hostAddress, claim.hostPort);
  const held = pairs.get(key) as PortClaim | undefined;
  if (held !== undefined && isSame(held, claim)) pairs.remove(key);
}

export function allPorts(pairs: KeyValues): PortClaim[] {
  return pairs.under('port/').map(({ value }) => value as PortClaim);
}
