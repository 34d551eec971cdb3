/**
 * What a sandbox needs beyond its endpoints: one default route a family, and, for the other endpoints, replies that leave
 * by the network they came in by.
 *
 * The default route goes to the endpoint with the highest gateway priority, then to the one attached first. Every other
 * endpoint with a gateway gets a routing table of its own (1000 + ordinal) that packets from its address look into: a
 * port published on a second network works, with the client's address kept.
 *
 * Static routes of its networks are there besides. Endpoints whose container side a runtime sets up have their routes from it.
 */
import { familyOf, networkOf } from '../model/address.ts';
import type { Endpoint, Family, Network, Sandbox } from '../model/records.ts';
import type { Place, Plan, Resource } from './resource.ts';

/** First of the tables that tsnet uses inside sandboxes. */
const FIRST_TABLE = 1000;

interface Gateway {
  readonly endpoint: Endpoint;
  /** Absent: out of the interface, without a next hop. */
  readonly via: string | undefined;
  /** "172.18.0.2" */
  readonly address: string;
  readonly subnet: string | undefined;
}

function gateways(attached: readonly AttachedEndpoint[], family: Family): Gateway[] {
  return attached
    .filter(({ endpoint }) => endpoint.handOver === undefined && endpoint.noDefaultRoute !== true)
    .flatMap(({ endpoint, network }): Gateway[] =>
      endpoint.addresses
        .filter(({ address }) => address.includes(':') === (family === 6))
        .flatMap(({ address, gateway, onLink }) =>
          gateway === undefined && onLink !== true
            ? []
            : [
                {
                  endpoint,
                  via: gateway,
                  address: address.slice(0, address.indexOf('/')),
                  subnet:
                    network.pools.find(({ subnet }) => subnet.includes(':') === (family === 6))?.subnet ??
                    (endpoint.dhcp === undefined ? undefined : networkOf(address)),
                },
              ],
        ),
    )
    .sort((a, b) => b.endpoint.gatewayPriority - a.endpoint.gatewayPriority || a.endpoint.ordinal - b.endpoint.ordinal);
}

function next({ via }: Gateway): { readonly via?: string } {
  return via === undefined ? {} : { via };
}

export interface AttachedEndpoint {
  readonly endpoint: Endpoint;
  readonly network: Network;
}

/** The routes and rules of a sandbox with these endpoints. */
export function sandboxPlan(
  sandbox: Pick<Sandbox, 'id' | 'foreignDefaultRoutes'>,
  attached: readonly AttachedEndpoint[],
): Plan {
  const place = { sandbox: sandbox.id };
  const own = ([4, 6] as const).flatMap((family): Resource[] => {
    const destination = family === 4 ? '0.0.0.0/0' : '::/0';
    const candidates = gateways(attached, family);
    const foreign = sandbox.foreignDefaultRoutes.includes(family);
    const first = foreign ? undefined : candidates[0];
    const others = foreign ? candidates : candidates.slice(1);
    return [
      ...(first === undefined
        ? []
        : [{ kind: 'route', place, family, destination, link: first.endpoint.interfaceName, ...next(first) } as const]),
      ...others.flatMap((gateway): Resource[] => {
        const { endpoint, address, subnet } = gateway;
        const table = FIRST_TABLE + endpoint.ordinal;
        const link = endpoint.interfaceName;
        return [
          ...(subnet === undefined
            ? []
            : [{ kind: 'route', place, family, destination: subnet, link, table } as const]),
          { kind: 'route', place, family, destination, link, ...next(gateway), table },
          { kind: 'rule', place, family, from: `${address}/${family === 4 ? '32' : '128'}`, table, priority: table },
        ];
      }),
    ];
  });
  return [...own, ...attached.flatMap(({ endpoint }) => staticRoutes(endpoint, place))];
}

function staticRoutes({ routes = [], interfaceName: link }: Endpoint, place: Place): Resource[] {
  return routes.map(({ destination, gateway: via, metric }) => ({
    kind: 'route',
    place,
    family: familyOf(destination),
    destination,
    link,
    via,
    ...(metric === undefined ? {} : { metric }),
  }));
}

/** What changes when a sandbox's plan goes from one to the other; what both have is left alone. */
export function planDifference(before: Plan, after: Plan): { readonly gone: Plan; readonly added: Plan } {
  const key = (resource: Resource): string => JSON.stringify(resource);
  const had = new Set(before.map(key));
  const has = new Set(after.map(key));
  return {
    gone: before.filter((resource) => !has.has(key(resource))),
    added: after.filter((resource) => !had.has(key(resource))),
  };
}
