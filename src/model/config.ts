/**
 * The configuration as the rest of tsnet sees it: every key present, validated, in our names. `src/config/` makes it from
 * daemon.json, the environment and the global options.
 */
import type { ClusterAdvertise, ClusterStoreAddress, ClusterStoreOptions } from './cluster-address.ts';
import type { JsonObject } from './records.ts';

export interface AddressPool {
  /** "172.17.0.0/16" */
  readonly base: string;
  /** Prefix length of the subnets cut from it. */
  readonly size: number;
}

/** How this host takes part in a cluster: what overlay networks need. */
export interface ClusterConfig {
  readonly store: ClusterStoreAddress;
  readonly storeOptions: ClusterStoreOptions;
  /** Absent: the address that this host reaches the store from. */
  readonly advertise?: ClusterAdvertise;
  /** Seconds without a sign of life until the others take this host for dead. */
  readonly ttlSeconds: number;
}

export interface Config {
  /** The file that was read; absent when there is none. */
  readonly file?: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly hosts: readonly string[];
  readonly debug: boolean;

  /** The default network's bridge when the administrator made one; "none": no default network; "": ours, `tsnet0`. */
  readonly bridge: string;
  /** Address and subnet of the default bridge, "192.168.1.5/24". */
  readonly bip?: string;
  readonly bip6?: string;
  readonly fixedCidr?: string;
  readonly fixedCidrV6?: string;
  readonly defaultGateway?: string;
  readonly defaultGatewayV6?: string;
  readonly ipv6: boolean;
  /** 0: the driver's default (1500). Default bridge only, as in Docker. */
  readonly mtu: number;
  readonly icc: boolean;
  readonly ipMasq: boolean;
  /** Default host address for published ports of the default bridge. */
  readonly ip: string;

  readonly ipForward: boolean;
  readonly iptables: boolean;
  readonly ip6tables: boolean;
  readonly firewallBackend: 'iptables' | 'nftables' | '';
  readonly allowDirectRouting: boolean;
  readonly userlandProxy: boolean;

  readonly dns: readonly string[];
  readonly dnsOpts: readonly string[];
  readonly dnsSearch: readonly string[];

  readonly defaultAddressPools: readonly AddressPool[];
  /** Driver name → options given to its new networks unless set. */
  readonly defaultNetworkOpts: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Seconds that a released address rests. */
  readonly quarantineSeconds: number;
  /** Whether the daemon mends what others change in the kernel. */
  readonly selfHeal: boolean;
  /** Whether the daemon serves Docker, where there is one. */
  readonly dockerPlugin: boolean;
  readonly drivers: readonly string[];
  /** Absent: this host shares nothing. */
  readonly cluster?: ClusterConfig;

  /** What a person should know: keys that are not about networking, values that Docker would refuse too. One line each. */
  readonly notices: readonly string[];
  /** The whole effective file, for `config show`. */
  readonly effective: JsonObject;
}
