/** The keys of daemon.json that tsnet acts on, defaults filled in, shape checked. */
import schema from '../../config/daemon.schema.json' with { type: 'json' };
import type { AddressPool } from '../model/config.ts';

export interface DaemonFile {
  readonly 'data-root': string;
  readonly 'exec-root': string;
  readonly hosts: readonly string[];
  readonly debug: boolean;
  readonly bridge: string;
  readonly bip?: string;
  readonly bip6?: string;
  readonly 'fixed-cidr'?: string;
  readonly 'fixed-cidr-v6'?: string;
  readonly 'default-gateway'?: string;
  readonly 'default-gateway-v6'?: string;
  readonly ipv6: boolean;
  readonly mtu: number;
  readonly icc: boolean;
  readonly 'ip-masq': boolean;
  readonly ip: string;
  readonly 'ip-forward': boolean;
  readonly iptables: boolean;
  readonly ip6tables: boolean;
  readonly 'firewall-backend': 'iptables' | 'nftables' | '';
  readonly 'allow-direct-routing': boolean;
  readonly 'userland-proxy': boolean;
  readonly dns: readonly string[];
  readonly 'dns-opts': readonly string[];
  readonly 'dns-search': readonly string[];
  readonly 'default-address-pools': readonly AddressPool[];
  readonly 'default-network-opts': Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly 'quarantine-seconds': number;
  readonly 'self-heal': boolean;
  readonly 'docker-plugin': boolean;
  readonly drivers: readonly string[];
  readonly 'cluster-store'?: string;
  readonly 'cluster-store-opts'?: ClusterStoreOpts;
  readonly 'cluster-advertise'?: string;
}

/** Our names and Docker's. */
export type ClusterStoreOpts = Readonly<
  Partial<
    Record<
      | 'ca'
      | 'cert'
      | 'key'
      | 'user'
      | 'password'
      | 'ttl'
      | 'kv.cacertfile'
      | 'kv.certfile'
      | 'kv.keyfile'
      | 'kv.path'
      | 'discovery.ttl'
      | 'discovery.heartbeat',
      string
    >
  >
>;

interface KeySchema {
  readonly $ref?: string;
  readonly $comment?: string;
  readonly description?: string;
}

const properties: Readonly<Record<string, KeySchema>> = schema.properties;

/** Every key that the schema knows. */
export const KNOWN_KEYS: readonly string[] = Object.keys(properties);

/** Docker's key that is not about networking. */
export function isNotNetworking(key: string): boolean {
  return properties[key]?.$ref === '#/definitions/ignored';
}

/** Why a networking key of Docker's does nothing here; undefined when it does something. */
export function whyWithoutEffect(key: string): string | undefined {
  const property = properties[key];
  return property?.$comment === 'without effect' ? property.description : undefined;
}
