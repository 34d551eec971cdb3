/**
 * Everything tsnet ever asks of a kernel, as data.
 *
 * A plan is an ordered list of resources. The same plan is ensured by `connect`, removed by `disconnect`, compared by
 * `diff` and printed by `--dry-run`, so a resource says what must be true, never what to do. All fields are JSON-safe.
 *
 * Who makes them true: one executor a kind, in `src/kernel/`.
 */
import type { LinkEntry } from './entries.ts';
import { FIREWALL_KINDS, type FirewallResource } from './firewall-intents.ts';
import type { OwnLink } from './links.ts';
import type { PluginEndpointResource, PluginNetworkResource } from './plugin-resource.ts';

export type * from './entries.ts';
export * from './firewall-intents.ts';
export type * from './links.ts';
export type * from './place.ts';

/** Whatever is no firewall rule. */
export type LinkResource = OwnLink | LinkEntry | PluginNetworkResource | PluginEndpointResource;

export type Resource = LinkResource | FirewallResource;

/** What must exist for one network or one endpoint, in the order in which it is made; removal goes in reverse. */
export type Plan = readonly Resource[];

export function isFirewall(resource: Resource): resource is FirewallResource {
  return resource.kind in FIREWALL_KINDS;
}

/** Prefix of every interface alias that tsnet sets. */
export const TAG_PREFIX = 'tsnet:';

/** The number in the `proto` field of our routes (`ip route show proto 157`); no routing daemon of Debian's uses it. */
export const ROUTE_PROTOCOL = 157;
