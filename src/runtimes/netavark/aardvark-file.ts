/**
 * The text of a file of aardvark-dns, one a network: the first line has the addresses that it listens at and, behind a blank,
 * whom it asks outside; each other line is a container: id, IPv4 addresses, IPv6 addresses, names, its own nameservers.
 */
import { familyOf } from '../../model/address.ts';

export interface NameEntry {
  readonly containerId: string;
  readonly addresses: readonly string[];
  readonly names: readonly string[];
  /** Nameservers of the container's own. */
  readonly dnsServers: readonly string[];
}

export interface NameHeader {
  readonly listen: readonly string[];
  /** Whom to ask outside; none: the host's nameservers. */
  readonly upstreams: readonly string[];
}

function headerLine({ listen, upstreams }: NameHeader): string {
  return upstreams.length === 0 ? listen.join(',') : `${listen.join(',')} ${upstreams.join(',')}`;
}

function entryLine({ containerId, addresses, names, dnsServers }: NameEntry): string {
  const of = (family: 4 | 6): string => addresses.filter((address) => familyOf(address) === family).join(',');
  const fields = [containerId, of(4), of(6), names.join(',')];
  return (dnsServers.length === 0 ? fields : [...fields, dnsServers.join(',')]).join(' ');
}

function isOf(line: string, containerId: string): boolean {
  return line.startsWith(`${containerId} `);
}

/** `before`: undefined where there is no file. The header is that of the first container. */
export function withEntry(before: string | undefined, header: NameHeader, entry: NameEntry): string {
  const [first, ...rest] = (before ?? '').split('\n').filter((line) => line !== '');
  const others = rest.filter((line) => !isOf(line, entry.containerId));
  return [first ?? headerLine(header), ...others, entryLine(entry), ''].join('\n');
}

/** Undefined: no container is left, and the file goes. */
export function withoutContainer(before: string, containerId: string): string | undefined {
  const [first = '', ...rest] = before.split('\n').filter((line) => line !== '');
  const others = rest.filter((line) => !isOf(line, containerId));
  return others.length === 0 ? undefined : [first, ...others, ''].join('\n');
}

export function withUpstreams(before: string, upstreams: readonly string[]): string {
  const [first = '', ...rest] = before.split('\n');
  const listen = (first.split(' ')[0] ?? '').split(',');
  return [headerLine({ listen, upstreams }), ...rest].join('\n');
}
