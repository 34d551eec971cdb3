/**
 * What the keys of a cluster hold: JSON, written by tsnet of any version on any host, so that nothing in it is trusted to be there.
 */
import type { Network } from '../model/records.ts';

/** A host that is alive. */
export interface HostValue {
  /** What people call it. */
  readonly name: string;
  /** Address that frames for its containers are sent to. */
  readonly vtep: string;
  /** UDP port of VXLAN there. */
  readonly port: number;
  /** Of its link there, bytes. */
  readonly mtu: number;
  /** Drawn anew with each boot: tells a host from another one that has its id. */
  readonly epoch: string;
}

/** Stands for a host that was removed, as long as whoever removed it is there: every host hears of it, and the host may write over it. */
export const REMOVED_HOST = JSON.stringify({ removed: true });

/** The holder of an address. An endpoint with two addresses has two keys with the same value. */
export interface EndpointValue {
  readonly mac: string;
  /** Host that it is on. */
  readonly host: string;
  /** Of its sandbox; with the network that is one endpoint. */
  readonly id: string;
  /** Names that it answers to, the sandbox's own first. */
  readonly names: readonly string[];
}

/** The holder of a block of addresses. */
export interface BlockValue {
  readonly host: string;
}

/** What an endpoint is called. */
export interface NamedValue {
  /** All that it has, the first one in its key. */
  readonly addresses: readonly string[];
  /** In lower case, the sandbox's own first. */
  readonly names: readonly string[];
}

export interface NetworkValue {
  readonly state: 'active' | 'deleting';
  /** Host that is deleting it. */
  readonly by?: string;
  /** As the host that made it has it; what is different on each host is for its driver to fill in. */
  readonly network: Network;
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined for what is no host. */
export function parseHost(text: string): HostValue | undefined {
  const { name, vtep, port, mtu, epoch } = parsed(text) ?? {};
  if (typeof vtep !== 'string' || typeof epoch !== 'string' || typeof port !== 'number') return undefined;
  return { name: typeof name === 'string' ? name : '', vtep, port, mtu: typeof mtu === 'number' ? mtu : 1500, epoch };
}

/** What people called a host that was here once. */
export function registeredName(text: string): string {
  const { name } = parsed(text) ?? {};
  return typeof name === 'string' ? name : '';
}

/** Undefined for what is no endpoint. */
export function parseEndpoint(text: string): EndpointValue | undefined {
  const { mac, host, id, names } = parsed(text) ?? {};
  if (typeof mac !== 'string' || typeof host !== 'string' || typeof id !== 'string') return undefined;
  const known = Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
  return { mac, host, id, names: known };
}

/** Undefined for what is no block. */
export function parseBlock(text: string): BlockValue | undefined {
  const { host } = parsed(text) ?? {};
  return typeof host === 'string' ? { host } : undefined;
}

/** Undefined for what is no endpoint with names. */
export function parseNamed(text: string): NamedValue | undefined {
  const { addresses, names } = parsed(text) ?? {};
  if (!Array.isArray(addresses)) return undefined;
  const texts = (list: unknown): string[] => (Array.isArray(list) ? list.filter((one) => typeof one === 'string') : []);
  return { addresses: texts(addresses), names: texts(names) };
}

/** Undefined for what is no host whose Docker has a network. */
export function parseDockerHost(text: string): { readonly name: string } | undefined {
  const { name } = parsed(text) ?? {};
  return typeof name === 'string' ? { name } : undefined;
}

/** The id of the network that a name, a subnet or a number is claimed for. */
export function networkIdIn(text: string): string | undefined {
  const { network } = parsed(text) ?? {};
  return typeof network === 'string' ? network : undefined;
}

/** Undefined for what is no network that this tsnet can read. */
export function parseNetwork(text: string): NetworkValue | undefined {
  const { state, by, network } = parsed(text) ?? {};
  if (state !== 'active' && state !== 'deleting') return undefined;
  if (typeof network !== 'object' || network === null || (network as { version?: unknown }).version !== 1) {
    return undefined;
  }
  return { state, network: network as Network, ...(typeof by === 'string' ? { by } : {}) };
}
