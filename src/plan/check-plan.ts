/**
 * Whether a plan stays within what is its own. Asked of every plan of a driver that others wrote, before anything acts on it.
 *
 * Its own on the host are the links that the network's or this plan makes, the links that an option of the network names, and
 * the addresses of the network's subnets; in the sandbox, the endpoint's interface. The tables and rules of a sandbox belong
 * to no driver (`sandbox-plan.ts`).
 */
import { contains, containsPrefix, familyOf, hostPrefix, parseInterface, parsePrefix } from '../model/address.ts';
import type { Endpoint, Network } from '../model/records.ts';
import { describeResource } from './describe.ts';
import { shapeFault } from './resource-shape.ts';
import { linkOfParameter, linksMade } from './plan-links.ts';
import { isFirewall, TAG_PREFIX, type FirewallResource, type Place, type Plan, type Resource } from './resource.ts';

export interface PlanOwner {
  readonly network: Network;
  readonly endpoint?: Endpoint;
  /** The network's plan, where this is an endpoint's. */
  readonly networkPlan?: Plan;
}

interface Own {
  readonly network: Network;
  readonly endpoint: Endpoint | undefined;
  /** Links of the host that may be touched. */
  readonly links: ReadonlySet<string>;
  /** Words of the network's options: what the administrator named. */
  readonly named: ReadonlySet<string>;
  readonly tag: string;
}

/** Parameters of the whole host that any network may need; nothing else of the host's is a driver's to set. */
const HOST_PARAMETERS = ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding'];
const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10'].map(parsePrefix);

/** What is wrong with the plan, one line each; none for a good one. */
export function planFaults(plan: unknown, owner: PlanOwner): string[] {
  if (!Array.isArray(plan)) return [`it is ${kindOf(plan)} and must be a list of resources`];
  const shapeFaults = plan.flatMap((resource) => shapeFault(resource) ?? []);
  if (shapeFaults.length > 0) return shapeFaults;
  const resources = plan as Plan;
  const own = ownOf(resources, owner);
  return resources.flatMap((resource) => {
    const why = trespass(resource, own);
    return why === undefined ? [] : [`${describeResource(resource)}: ${why}`];
  });
}

function kindOf(value: unknown): string {
  if (value instanceof Promise) return 'a promise (a planner must not wait)';
  return value === null || value === undefined ? 'nothing' : `a ${typeof value}`;
}

function ownOf(plan: Plan, { network, endpoint, networkPlan = [] }: PlanOwner): Own {
  const named = new Set(Object.values(network.options).flatMap((value) => [value, ...value.split(/[\s,;:]+/)]));
  return {
    network,
    endpoint,
    links: new Set([...[...networkPlan, ...plan].flatMap(linksMade), ...named]),
    named,
    tag: `${TAG_PREFIX}${endpoint?.id ?? network.id}`,
  };
}

function trespass(resource: Resource, own: Own): string | undefined {
  if (isFirewall(resource)) return intent(resource, own);
  switch (resource.kind) {
    case 'bridge':
      if (resource.tag !== own.tag) return `its tag must be "${own.tag}"`;
      return linkOnHost(resource.name, own);
    case 'veth':
      if (resource.tag !== own.tag) return `its tag must be "${own.tag}"`;
      return (
        linkAt({ sandbox: resource.sandbox }, resource.peer, own) ??
        (resource.master === undefined ? undefined : linkOnHost(resource.master, own))
      );
    case 'macvlan':
    case 'ipvlan':
      if (resource.tag !== own.tag) return `its tag must be "${own.tag}"`;
      return linkAt(resource.place, resource.name, own) ?? linkOnHost(resource.parent, own);
    case 'vlan':
      // Networks that share it name it alike.
      if (resource.tag !== `${TAG_PREFIX}vlan:${resource.name}`)
        return `its tag must be "${TAG_PREFIX}vlan:${resource.name}"`;
      return linkOnHost(resource.parent, own);
    case 'dummy':
      return resource.tag === own.tag ? undefined : `its tag must be "${own.tag}"`;
    case 'vxlan':
      if (resource.tag !== own.tag) return `its tag must be "${own.tag}"`;
      return resource.master === undefined ? undefined : linkOnHost(resource.master, own);
    case 'fdb':
      return linkOnHost(resource.link, own);
    case 'ifb':
      if (own.endpoint === undefined) return 'only an endpoint is limited';
      return resource.tag === `${TAG_PREFIX}limit:${own.endpoint.id}`
        ? undefined
        : `its tag must be "${TAG_PREFIX}limit:${own.endpoint.id}"`;
    case 'token-bucket':
      return linkOnHost(resource.link, own);
    case 'redirect':
      return linkOnHost(resource.link, own) ?? linkOnHost(resource.to, own);
    case 'plugin-network':
    case 'plugin-endpoint':
      return resource.plugin === own.network.driver
        ? undefined
        : `a driver of this process does not speak for Docker plugin ${resource.plugin}`;
    case 'neighbour':
      return linkAt(resource.place, resource.link, own) ?? addressAt(resource.place, hostPrefix(resource.address), own);
    case 'link-up':
      // Every sandbox needs its loopback.
      return linkAt(
        resource.place,
        resource.place !== 'host' && resource.link === 'lo' ? undefined : resource.link,
        own,
      );
    case 'address':
      return linkAt(resource.place, resource.link, own) ?? addressAt(resource.place, resource.address, own);
    case 'route':
      return linkAt(resource.place, resource.link, own) ?? routeTo(resource.place, resource.destination, own);
    case 'rule':
      if (resource.place === 'host') return "policy rules of the host are not a driver's to make";
      return linkAt(resource.place, undefined, own) ?? subnetOwn(resource.from, own);
    case 'sysctl':
      return parameter(resource.place, resource.key, own);
  }
}

function linkOnHost(link: string, { links }: Own): string | undefined {
  return links.has(link)
    ? undefined
    : `${link} is a link that neither this network makes nor an option of it names; it is not its own`;
}

/** Undefined for `link`: the place alone is judged. */
function linkAt(place: Place, link: string | undefined, own: Own): string | undefined {
  if (place === 'host') return link === undefined ? undefined : linkOnHost(link, own);
  if (own.endpoint === undefined) return 'the plan of a network has nothing in a sandbox; that is for endpointPlan';
  if (place.sandbox !== own.endpoint.sandboxId) return 'it is in the sandbox of another container';
  if (link === undefined || link === own.endpoint.interfaceName) return undefined;
  return `the endpoint's interface is ${own.endpoint.interfaceName}; ${link} is not its own`;
}

function addressAt(place: Place, address: string, own: Own): string | undefined {
  if (place !== 'host') return undefined;
  const { address: host } = parseInterface(address);
  return [...subnets(own), ...LINK_LOCAL].some((prefix) => prefix.family === host.family && contains(prefix, host)) ||
    own.named.has(address)
    ? undefined
    : 'the address is in no subnet of the network';
}

function routeTo(place: Place, destination: string, own: Own): string | undefined {
  if (place === 'host') return subnetOwn(destination, own);
  return parsePrefix(destination).length === 0
    ? 'default routes are made from the gateways of all endpoints of a sandbox; leave them out'
    : undefined;
}

function subnetOwn(subnet: string, own: Own): string | undefined {
  const prefix = parsePrefix(subnet);
  return subnets(own).some((outer) => outer.family === prefix.family && containsPrefix(outer, prefix)) ||
    own.named.has(subnet)
    ? undefined
    : `${subnet} is in no subnet of the network and no option names it`;
}

function subnets({ network }: Own): ReturnType<typeof parsePrefix>[] {
  return network.pools.map(({ subnet }) => parsePrefix(subnet));
}

function parameter(place: Place, key: string, own: Own): string | undefined {
  if (place === 'host' && HOST_PARAMETERS.includes(key)) return undefined;
  const link = linkOfParameter(key);
  if (link === undefined) {
    return place === 'host'
      ? "a parameter of the whole host is not a driver's to set"
      : "a parameter of the whole sandbox is not a driver's to set";
  }
  return linkAt(place, link, own);
}

function intent(resource: FirewallResource, own: Own): string | undefined {
  if (resource.kind === 'vtep-guard' || resource.kind === 'vtep') {
    return "who may speak to a port of the host is not a network's to say; that is for guardPlan";
  }
  const link = linkOnHost(resource.bridge, own);
  if (link !== undefined) return link;
  switch (resource.kind) {
    case 'icc':
      return undefined;
    case 'publish': {
      const { endpoint } = own;
      const to = endpoint?.addresses.find(({ address }) => address.startsWith(`${resource.to}/`));
      if (endpoint === undefined || to === undefined) return `${resource.to} is no address of the endpoint`;
      const asked = endpoint.ports.some(
        ({ hostPort, count, protocol }) =>
          protocol === resource.protocol &&
          hostPort <= resource.hostPort &&
          resource.hostPort + resource.count <= hostPort + count,
      );
      return asked ? undefined : 'nobody asked to publish these ports';
    }
    case 'branch':
      return linkOnHost(resource.link, own) ?? subnetOwn(resource.subnet, own);
    case 'isolate':
    case 'internal':
    case 'masquerade':
    case 'hairpin':
      return familyOf(resource.subnet) === resource.family
        ? subnetOwn(resource.subnet, own)
        : `${resource.subnet} is not IPv${resource.family}`;
  }
}
