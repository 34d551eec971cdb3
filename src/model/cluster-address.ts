/** Where the store of a cluster is and where this host is for the others: the texts of daemon.json, parsed. */
import { canonicalAddress, isAddress } from './address.ts';
import { TsnetError } from './error.ts';

export type ClusterStoreKind = 'etcd' | 'zookeeper';

export interface StoreEndpoint {
  /** Name or address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** "etcd://10.0.0.5:2379,10.0.0.6:2379/path" */
export interface ClusterStoreAddress {
  readonly kind: ClusterStoreKind;
  readonly endpoints: readonly StoreEndpoint[];
  /** Above our keys, "a/b"; empty: nothing. */
  readonly path: string;
}

export interface ClusterStoreOptions {
  /** Files in PEM: whom to trust; what shows who we are. One of them turns TLS on. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly user?: string;
  readonly password?: string;
}

/** Where other hosts send this host's frames: an interface whose address it is, or an address. */
export type ClusterAdvertise =
  | { readonly kind: 'interface'; readonly name: string; readonly port?: number }
  | { readonly kind: 'address'; readonly address: string; readonly port?: number };

const SCHEMES: Readonly<Record<string, { readonly kind: ClusterStoreKind; readonly port: number }>> = {
  etcd: { kind: 'etcd', port: 2379 },
  zk: { kind: 'zookeeper', port: 2181 },
};

/**
 * @throws TsnetError INVALID
 */
export function parseClusterStore(text: string): ClusterStoreAddress {
  const refuse = (why: string): TsnetError =>
    new TsnetError('INVALID', `cluster store "${text}": ${why}; expected such as etcd://10.0.0.5:2379,10.0.0.6:2379`);
  const [, schemeName = '', authority = '', path = ''] = /^([a-z]+):\/\/([^/]+)(?:\/(.*))?$/.exec(text) ?? [];
  const scheme = SCHEMES[schemeName];
  if (scheme === undefined) throw refuse('begins with neither etcd:// nor zk://, or names no host');
  const endpoints = authority.split(',').map((one) => {
    const { host, port } = splitPort(one) ?? {};
    if (host === undefined || !/^[\w.:-]+$/.test(host)) throw refuse(`"${one}" is no host and port`);
    return { host, port: port ?? scheme.port };
  });
  const names = path.split('/').filter((name) => name !== '');
  if (names.some((name) => !/^[\w.-]+$/.test(name) || /^\.+$/.test(name))) throw refuse(`"${path}" is no path`);
  return { kind: scheme.kind, endpoints, path: names.join('/') };
}

/** "10.0.0.5:2379", "[fd00::5]:2379" */
export function formatEndpoint({ host, port }: StoreEndpoint): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * "eth0", "eth0:4789", "10.0.0.1", "10.0.0.1:4789", "[fd00::1]:4789", "fd00::1".
 *
 * @throws TsnetError INVALID
 */
export function parseClusterAdvertise(text: string): ClusterAdvertise {
  const { host, port } = isAddress(text) ? { host: text } : (splitPort(text) ?? { host: '' });
  const given = port === undefined ? {} : { port };
  if (isAddress(host)) return { kind: 'address', address: canonicalAddress(host), ...given };
  if (/^[^/\s:]{1,15}$/.test(host)) return { kind: 'interface', name: host, ...given };
  throw new TsnetError('INVALID', `"${text}": expected an interface or an address, and a UDP port, such as eth0:4789`);
}

function splitPort(text: string): { readonly host: string; readonly port?: number } | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || (port !== undefined && (port < 1 || port > 65535))) return undefined;
  return port === undefined ? { host } : { host, port };
}
