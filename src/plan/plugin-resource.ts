/**
 * The resources of Docker network plugins: what exists in another program, and the links that it makes for us. Kinds of
 * `resource.ts` like all others.
 */

/** A subnet as a Docker network plugin is told of it. */
export interface PluginPool {
  /** "10.0.0.0/24" */
  readonly subnet: string;
  readonly gateway?: string;
  readonly aux: Readonly<Record<string, string>>;
}

/** A network in a Docker network plugin. Removing it tells the plugin so; whether it is there cannot be asked. */
export interface PluginNetworkResource {
  readonly kind: 'plugin-network';
  readonly plugin: string;
  readonly networkId: string;
  /** A plugin of global scope is asked to allocate the network first. */
  readonly scope: 'local' | 'global';
  readonly pools: readonly PluginPool[];
  /** `-o` values as they were given. */
  readonly options: Readonly<Record<string, string>>;
  readonly internal: boolean;
}

/**
 * An endpoint in a Docker network plugin, and the link that the plugin makes for it: moved into the sandbox, named, up, with the
 * routes that the plugin asks for. Removed: the link goes back to the plugin. Its addresses are resources of their own.
 */
export interface PluginEndpointResource {
  readonly kind: 'plugin-endpoint';
  readonly plugin: string;
  readonly networkId: string;
  readonly endpointId: string;
  readonly sandbox: string;
  readonly link: string;
  readonly mac: string;
  /** "10.0.0.2/24" */
  readonly addresses: readonly string[];
  /** Next hops that the sandbox will use; a plugin that wants others is refused. */
  readonly gateways: readonly string[];
  /** `--driver-opt` values. */
  readonly options: Readonly<Record<string, string>>;
  /** `tsnet:<endpoint id>` */
  readonly tag: string;
}
