/**
 * What the engine asks of a Docker IPAM plugin (implemented in `src/docker-plugins/`): Docker's remote IPAM protocol. Every call
 * rejects with TsnetError: DRIVER where the plugin refuses, RUNTIME or TIMEOUT where it does not answer.
 */
import type { Family } from '../model/records.ts';

export interface PoolWish {
  readonly family: Family;
  /** "10.0.0.0/24"; absent: whichever the plugin has. */
  readonly subnet?: string;
  readonly range?: string;
  /** `--ipam-opt` values. */
  readonly options: Readonly<Record<string, string>>;
}

export interface PluginSubnet {
  readonly poolId: string;
  readonly subnet: string;
  /** Where the plugin has one in mind already. */
  readonly gateway?: string;
}

export interface AddressWish {
  readonly poolId: string;
  /** Absent: whichever is next. */
  readonly address?: string;
  /** Docker's names: `RequestAddressType`, `com.docker.network.endpoint.macaddress`. */
  readonly options: Readonly<Record<string, string>>;
}

export interface IpamPlugin {
  /** Whether it wants to know a container's MAC before it gives an address. */
  readonly requiresMac: () => Promise<boolean>;
  readonly requestPool: (wish: PoolWish) => Promise<PluginSubnet>;
  readonly releasePool: (poolId: string) => Promise<void>;
  /** The address, without a length. */
  readonly requestAddress: (wish: AddressWish) => Promise<string>;
  readonly releaseAddress: (poolId: string, address: string) => Promise<void>;
}

export interface IpamPlugins {
  /** Undefined where there is no plugin of that name. It is spoken to with the first call. */
  find(name: string): IpamPlugin | undefined;
  /** Docker plugins that are there, whatever they are for. */
  names(): readonly string[];
}

/** Docker's word for "an address for the gateway" and for a container's MAC, in the options of a wish. */
export const GATEWAY_WISH = { RequestAddressType: 'com.docker.network.gateway' } as const;
export const MAC_OPTION = 'com.docker.network.endpoint.macaddress';
