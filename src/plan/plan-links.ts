/**
 * Which links of the host a resource makes, and which it needs.
 */
import { isFirewall, type Resource } from './resource.ts';

const OF_A_LINK = /^net\/ipv[46]\/(?:conf|neigh)\/([^/]+)\/[a-z0-9_]+$/;

/** The link that a kernel parameter is of; undefined for one of the whole namespace. */
export function linkOfParameter(key: string): string | undefined {
  const link = OF_A_LINK.exec(key)?.[1];
  return link === 'all' || link === 'default' ? undefined : link;
}

/** The links of the host that a resource makes. */
export function linksMade(resource: Resource): string[] {
  const { kind } = resource;
  if (kind === 'veth') return [resource.host];
  if (kind === 'bridge') return resource.adopted ? [] : [resource.name];
  if (kind === 'macvlan' || kind === 'ipvlan') return resource.place === 'host' ? [resource.name] : [];
  return kind === 'vlan' || kind === 'dummy' || kind === 'vxlan' || kind === 'ifb' ? [resource.name] : [];
}

/** The links of the host that must be there before the resource. */
export function linksUsed(resource: Resource): string[] {
  if (isFirewall(resource)) return [];
  switch (resource.kind) {
    case 'bridge':
    case 'dummy':
    case 'ifb':
    case 'rule':
    case 'plugin-network':
    case 'plugin-endpoint':
      return [];
    case 'veth':
    case 'vxlan':
      return resource.master === undefined ? [] : [resource.master];
    case 'macvlan':
    case 'ipvlan':
    case 'vlan':
      return [resource.parent];
    case 'fdb':
    case 'token-bucket':
      return [resource.link];
    case 'redirect':
      return [resource.link, resource.to];
    case 'link-up':
    case 'address':
    case 'neighbour':
    case 'route':
      return resource.place === 'host' ? [resource.link] : [];
    case 'sysctl':
      return resource.place === 'host' ? [linkOfParameter(resource.key)].flatMap((link) => link ?? []) : [];
  }
}
