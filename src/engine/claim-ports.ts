/**
 * Choosing and claiming host ports, inside the transaction that attaches or publishes.
 *
 * A port is free when no other endpoint claims it and no program on the host listens on it. Claims are the ledger's: two
 * attaches at once cannot get the same port. Exact ports go before ranges, ranges before ephemeral ones, so that a choice
 * never takes what was asked for by number.
 */
import { familyOf, formatAddress, parseAddress } from '../model/address.ts';
import { TsnetError } from '../model/error.ts';
import { parsePortRequest, type PortRange, type PortRequest } from '../model/port-mapping.ts';
import type { LedgerChange } from '../model/ledger.ts';
import type { Endpoint, Network, PublishedPort } from '../model/records.ts';
import type { Listener, SoughtPort } from '../plan/kernel.ts';
import { driverOf, type EngineContext } from './context.ts';

export interface PortClaims {
  readonly network: Network;
  readonly endpoint: Endpoint;
  /** As typed. */
  readonly wanted: readonly string[];
  readonly listeners: readonly Listener[];
}

export function samePort(a: PublishedPort, b: PublishedPort): boolean {
  return (
    a.protocol === b.protocol &&
    a.hostAddress === b.hostAddress &&
    a.hostPort === b.hostPort &&
    a.containerPort === b.containerPort &&
    a.count === b.count
  );
}

/** Ports beyond this number are not looked at one by one. */
const MOST_SOUGHT = 16;

/** The programs on the host that may be in the way of ports as typed. */
export function listenersFor({ kernel }: EngineContext, wanted: readonly string[]): Promise<Listener[]> {
  const requests = wanted.map(parsePortRequest);
  if (requests.length === 0) return Promise.resolve([]);
  const protocols = [...new Set(requests.map(({ protocol }) => protocol))];
  const exact = requests.every((request) => choices(request) === 1);
  const count = requests.reduce((sum, request) => sum + request.count, 0);
  return exact && count <= MOST_SOUGHT
    ? kernel.listeners(protocols, requests.flatMap(portsOf))
    : kernel.listeners(protocols);
}

function portsOf({ protocol, hostPort, count }: PortRequest): SoughtPort[] {
  if (hostPort === 'ephemeral') return [];
  return Array.from({ length: count }, (_, index) => ({ protocol, port: hostPort.first + index }));
}

function choices({ hostPort, count }: PortRequest): number {
  if (hostPort === 'ephemeral') return Number.MAX_SAFE_INTEGER;
  return hostPort.last - hostPort.first + 2 - count;
}

/** Claims all wanted ports for the endpoint, or throws and claims none (the transaction is aborted). */
export function claimPorts(context: EngineContext, change: LedgerChange, claims: PortClaims): PublishedPort[] {
  if (claims.wanted.length === 0) return [];
  const { refusesPorts, publishAddress } = driverOf(context, claims.network).endpointDefaults(claims.network);
  if (refusesPorts !== undefined) {
    throw new TsnetError('INVALID', `publish ${claims.wanted.join(', ')} on ${claims.network.name}: ${refusesPorts}`);
  }
  const requests = claims.wanted.map((typed) => ({ typed, request: parsePortRequest(typed) }));
  requests.sort((a, b) => choices(a.request) - choices(b.request));
  return requests.flatMap(({ typed, request }) => {
    const addresses = hostAddresses(request, publishAddress, claims, typed);
    return claimHostPort(context, change, { request, typed, addresses, claims });
  });
}

/** The host addresses that a mapping binds: the given one, or every local address of each family the endpoint has. */
function hostAddresses(
  request: PortRequest,
  fallback: string,
  { endpoint, network }: PortClaims,
  typed: string,
): string[] {
  const families = endpoint.addresses.map(({ address }) => familyOf(address));
  const wanted = request.hostAddress ?? formatAddress(parseAddress(fallback));
  if (request.hostAddress === undefined && wanted === '0.0.0.0') {
    return families.map((family) => (family === 4 ? '0.0.0.0' : '::'));
  }
  if (families.includes(familyOf(wanted))) return [wanted];
  throw new TsnetError(
    'INVALID',
    `publish ${typed} on ${network.name}: ${wanted} is IPv${familyOf(wanted)} and the container has no IPv${familyOf(wanted)} address there; create the network with ${familyOf(wanted) === 6 ? '--ipv6' : 'an IPv4 subnet'}`,
  );
}

interface Choice {
  readonly request: PortRequest;
  readonly typed: string;
  readonly addresses: readonly string[];
  readonly claims: PortClaims;
}

/** Claims the first host port, of those allowed, that is free on every address; the same number on all. */
function claimHostPort(context: EngineContext, change: LedgerChange, choice: Choice): PublishedPort[] {
  const { request, addresses, claims } = choice;
  const { protocol, containerPort, count } = request;
  const at = (hostPort: number): PublishedPort[] =>
    addresses.map((hostAddress) => ({ protocol, hostAddress, hostPort, containerPort, count }));
  let refusal: string | undefined;
  for (const first of candidates(context, change, request)) {
    const ports = at(first);
    const taken = listenerOn(context, ports, claims.listeners) ?? claimAll(change, ports, claims.endpoint.id);
    if (taken === undefined) {
      if (request.hostPort === 'ephemeral') change.setLastEphemeralPort(protocol, first + count - 1);
      return ports;
    }
    refusal ??= taken;
    // An exact port has one candidate: its holder is the answer.
  }
  throw new TsnetError(
    choices(request) > 1 ? 'EXHAUSTED' : 'PORT_TAKEN',
    `publish ${choice.typed} on ${claims.network.name}: ${
      choices(request) > 1
        ? `no free host port is left (${refusal ?? 'the range is too small'})`
        : (refusal ?? 'the port is taken')
    }; choose another host port`,
  );
}

/** First ports to try, in order. Ephemeral ones go round after the last given, within net.ipv4.ip_local_port_range. */
function* candidates(
  context: EngineContext,
  change: LedgerChange,
  { hostPort, protocol, count }: PortRequest,
): Iterable<number> {
  if (hostPort !== 'ephemeral') {
    for (let first = hostPort.first; first + count - 1 <= hostPort.last; first += 1) yield first;
    return;
  }
  const [low, high] = context.kernel.ephemeralPorts();
  const range: PortRange = { first: low, last: high - count + 1 };
  const size = range.last - range.first + 1;
  if (size <= 0) return;
  const last = change.lastEphemeralPort(protocol) ?? low - 1;
  const start = last + 1 >= range.first && last + 1 <= range.last ? last + 1 - range.first : 0;
  for (let step = 0; step < size; step += 1) yield range.first + ((start + step) % size);
}

/** Claims all of the ports, or none and tells who holds one of them. */
function claimAll(change: LedgerChange, ports: readonly PublishedPort[], endpointId: string): string | undefined {
  for (const [index, port] of ports.entries()) {
    const other = change.claimPort({ ...port, endpointId });
    if (other === undefined) continue;
    for (const claimed of ports.slice(0, index)) change.releasePort({ ...claimed, endpointId });
    const endpoint = change.endpoint(other.endpointId);
    const sandbox = endpoint === undefined ? undefined : change.sandbox(endpoint.sandboxId);
    return `${port.protocol} port ${portText(other)} is published by container ${sandbox?.name ?? other.endpointId.slice(0, 12)}`;
  }
  return undefined;
}

/** The program that has one of the ports, in words. */
function listenerOn(
  { kernel }: EngineContext,
  ports: readonly PublishedPort[],
  listeners: readonly Listener[],
): string | undefined {
  const listener = listeners.find((other) => ports.some((port) => collides(port, other)));
  if (listener === undefined) return undefined;
  const program = kernel.socketHolder(listener.inode);
  return `${listener.protocol} port ${listener.port} of ${listener.address} is in use by ${program ?? 'another program'}`;
}

function portText({ hostPort, count }: PublishedPort): string {
  return count === 1 ? String(hostPort) : `${hostPort}-${hostPort + count - 1}`;
}

function collides(port: PublishedPort, listener: Listener): boolean {
  return (
    port.protocol === listener.protocol &&
    listener.port >= port.hostPort &&
    listener.port < port.hostPort + port.count &&
    familyOf(port.hostAddress) === familyOf(listener.address) &&
    (port.hostAddress === listener.address || isWildcard(port.hostAddress) || isWildcard(listener.address))
  );
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}
