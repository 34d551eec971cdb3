/**
 * Docker's syntax for published ports: `[IP:][HOST[-END]]:CONTAINER[-END][/tcp|udp|sctp]`.
 *
 * "80" and ":80" ask for an ephemeral host port, "8000-8010:80" for any free one of the range, "8000-8010:9000-9010" for
 * all eleven. An empty part is one that was left out: ":8080:80" is "8080:80". Rules as in docker/go-connections `nat.ParsePortSpec`.
 */
import { familyOf, formatAddress, isAddress, parseAddress } from './address.ts';
import { TsnetError } from './error.ts';
import type { Protocol, PublishedPort } from './records.ts';

/** Ports wanted, inclusive at both ends. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** What was asked for; the engine turns it into a `PublishedPort` by choosing the host address and port. */
export interface PortRequest {
  readonly protocol: Protocol;
  /** Canonical; absent: the network's default. */
  readonly hostAddress?: string;
  /** As many ports as `count`; or, with a `count` of 1, a longer range of which one free port is taken. */
  readonly hostPort: 'ephemeral' | PortRange;
  readonly containerPort: number;
  readonly count: number;
}

const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'sctp'];

function refuse(text: string, why: string): never {
  throw new TsnetError(
    'INVALID',
    `publish "${text}": ${why}; expected [IP:][HOST[-END]]:CONTAINER[-END][/tcp|udp|sctp]`,
  );
}

function parseProtocol(text: string, protocol: string): Protocol {
  const known = PROTOCOLS.find((name) => name === protocol.toLowerCase());
  return known ?? refuse(text, `protocol "${protocol}" is not one of tcp, udp, sctp`);
}

function parseRange(text: string, range: string, side: 'host' | 'container'): PortRange {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range);
  if (match === null) refuse(text, `${side} port "${range}" is not a number or a range of numbers`);
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  if (last > 65535) refuse(text, `${side} port ${last} is above 65535`);
  if (first > 65535) refuse(text, `${side} port ${first} is above 65535`);
  if (last < first) refuse(text, `${side} port range "${range}" runs backwards`);
  return { first, last };
}

/** Splits at the last two colons, so that an IPv6 address may stand before them, bracketed or bare. */
function split(text: string): { readonly ip: string; readonly host: string; readonly container: string } {
  const parts = text.split(':');
  const container = parts.pop() ?? '';
  const host = parts.pop() ?? '';
  return { ip: parts.join(':'), host, container };
}

function parseHostAddress(text: string, ip: string): string {
  const bare = ip.startsWith('[') && ip.endsWith(']') ? ip.slice(1, -1) : ip;
  if (!isAddress(bare)) refuse(text, `"${ip}" is not an IP address`);
  if (bare !== ip && familyOf(bare) === 4) refuse(text, 'brackets are for IPv6 addresses');
  return formatAddress(parseAddress(bare));
}

/**
 * @throws TsnetError INVALID, naming what was typed
 */
export function parsePortRequest(text: string): PortRequest {
  const [spec = '', protocol = 'tcp', ...more] = text.split('/');
  if (more.length > 0) refuse(text, 'more than one "/"');
  const { ip, host, container } = split(spec);
  if (container === '') refuse(text, 'no container port');
  const wanted = parseRange(text, container, 'container');
  if (wanted.first === 0) refuse(text, 'container port 0 does not exist');
  const count = wanted.last - wanted.first + 1;
  const address = ip === '' ? {} : { hostAddress: parseHostAddress(text, ip) };
  return {
    protocol: parseProtocol(text, protocol),
    ...address,
    hostPort: parseHostPort(text, host, count),
    containerPort: wanted.first,
    count,
  };
}

function parseHostPort(text: string, host: string, count: number): PortRequest['hostPort'] {
  if (host === '') return 'ephemeral';
  const range = parseRange(text, host, 'host');
  const size = range.last - range.first + 1;
  // Port 0 is the socket API's "any": Docker takes it so.
  if (range.first === 0 && size === 1 && count === 1) return 'ephemeral';
  if (range.first === 0) refuse(text, 'host port 0 cannot be part of a range');
  if (size !== count && count > 1) {
    refuse(text, `the host range has ${size} ports and the container range ${count}; they must be equal`);
  }
  return range;
}

/** "80/tcp", "53/udp" or "80" of `tsnet port NAME 80`. @throws TsnetError INVALID */
export function parseContainerPort(text: string): { readonly port: number; readonly protocol: Protocol } {
  const [number = '', protocol = 'tcp', ...more] = text.split('/');
  const port = /^\d{1,5}$/.test(number) ? Number(number) : 0;
  const known = PROTOCOLS.find((name) => name === protocol.toLowerCase());
  if (port < 1 || port > 65535 || known === undefined || more.length > 0) {
    throw new TsnetError('INVALID', `"${text}" is not a container port; expected one such as 80 or 53/udp`);
  }
  return { port, protocol: known };
}

function formatRange(first: number, count: number): string {
  return count === 1 ? String(first) : `${first}-${first + count - 1}`;
}

function formatHost(address: string, port: string): string {
  return familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** What `parsePortRequest` reads back as the same request. */
export function formatPortRequest({ protocol, hostAddress, hostPort, containerPort, count }: PortRequest): string {
  const host = hostPort === 'ephemeral' ? '' : formatRange(hostPort.first, hostPort.last - hostPort.first + 1);
  const container = `${formatRange(containerPort, count)}/${protocol}`;
  if (hostAddress !== undefined) return `${formatHost(hostAddress, host)}:${container}`;
  return host === '' ? container : `${host}:${container}`;
}

/** "0.0.0.0:8080", "[::]:9000-9010". */
export function formatHostSide({ hostAddress, hostPort, count }: PublishedPort): string {
  return formatHost(hostAddress, formatRange(hostPort, count));
}

/** "80/tcp", "8000-8010/udp". */
export function formatContainerSide({ protocol, containerPort, count }: PublishedPort): string {
  return `${formatRange(containerPort, count)}/${protocol}`;
}

/** A line of `tsnet port`: "80/tcp -> 0.0.0.0:8080". */
export function formatPublishedPort(port: PublishedPort): string {
  return `${formatContainerSide(port)} -> ${formatHostSide(port)}`;
}

/** As in the PORTS column of `tsnet ps`: "0.0.0.0:8080->80/tcp". */
export function formatPortColumn(port: PublishedPort): string {
  return `${formatHostSide(port)}->${formatContainerSide(port)}`;
}
