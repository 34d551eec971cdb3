/**
 * What the kernel layer asks of a Docker network plugin (implemented in `src/docker-plugins/`): Docker's remote driver protocol,
 * call by call. Every call rejects with TsnetError: DRIVER where the plugin answered that it refuses, RUNTIME or TIMEOUT where it
 * did not answer.
 */
import { TsnetError } from '../model/error.ts';
import type { PluginEndpointResource, PluginNetworkResource } from './plugin-resource.ts';

/** What a plugin decides for an endpoint on top of what it is told. */
export interface PluginEndpointAnswer {
  /** Addresses for the families that it was given none of: "10.0.0.2/24". */
  readonly addresses: readonly string[];
}

export interface PluginRoute {
  readonly destination: string;
  /** Absent: on link. */
  readonly via?: string;
}

export interface PluginJoinAnswer {
  /** The link in the host's namespace that is to become the container's; a plugin may have none. */
  readonly sourceLink?: string;
  readonly gateways: readonly string[];
  readonly routes: readonly PluginRoute[];
}

export interface NetworkPlugin {
  readonly createNetwork: (network: PluginNetworkResource) => Promise<void>;
  readonly deleteNetwork: (network: PluginNetworkResource) => Promise<void>;
  readonly createEndpoint: (endpoint: PluginEndpointResource) => Promise<PluginEndpointAnswer>;
  /** `sandboxPath`: the namespace's file. */
  readonly join: (endpoint: PluginEndpointResource, sandboxPath: string) => Promise<PluginJoinAnswer>;
  readonly leave: (endpoint: PluginEndpointResource) => Promise<void>;
  readonly deleteEndpoint: (endpoint: PluginEndpointResource) => Promise<void>;
}

/** The plugin of a name; it is looked for and spoken to with the first call. */
export type NetworkPlugins = (name: string) => NetworkPlugin;

/** Whether the plugin was reached and said no. */
export function isRefusal(error: unknown): boolean {
  return error instanceof TsnetError && error.code === 'DRIVER';
}
