/**
 * What a container on a LAN of its own MAC or address needs, the same for macvlan and ipvlan.
 *
 * The order matters: the addresses are there when the link comes up, so the kernel announces them then (arp_notify, ndisc_notify).
 * Switches and neighbours that knew the address elsewhere learn where it is now.
 */
import { familyOf, networkOf } from '../../src/model/address.ts';
import type { Endpoint, Network } from '../../src/model/records.ts';
import type { Plan, Resource } from '../../src/plan/resource.ts';

/** The plan of an endpoint whose link is `link`. */
export function lanEndpointPlan(network: Network, endpoint: Endpoint, link: Resource): Plan {
  const place = { sandbox: endpoint.sandboxId };
  const { interfaceName: name, addresses } = endpoint;
  const has = (family: 4 | 6): boolean => addresses.some(({ address }) => familyOf(address) === family);
  const conf = (family: 'ipv4' | 'ipv6', key: string, value: string): Resource => ({
    kind: 'sysctl',
    place,
    key: `net/${family}/conf/${name}/${key}`,
    value,
    mode: 'prefer',
  });
  return [
    { kind: 'link-up', place, link: 'lo' },
    link,
    conf('ipv4', 'arp_notify', '1'),
    conf('ipv6', 'disable_ipv6', has(6) ? '0' : '1'),
    // Routers of the LAN would give it addresses and default routes that the ledger does not know.
    ...(has(6) ? [conf('ipv6', 'accept_ra', '0'), conf('ipv6', 'ndisc_notify', '1')] : []),
    ...addresses.map(({ address }): Resource => ({ kind: 'address', place, link: name, address })),
    { kind: 'link-up', place, link: name },
    // The kernel adds this route with the address; it is named so that `diff` misses it when somebody deletes it.
    ...subnetsOf(network, endpoint)
      .filter((subnet) => has(familyOf(subnet)))
      .map((subnet): Resource => ({
        kind: 'route',
        place,
        family: familyOf(subnet),
        destination: subnet,
        link: name,
      })),
  ];
}

/** Where a DHCP server gives the addresses, the subnet is the one that it says. */
function subnetsOf({ pools }: Network, { addresses }: Endpoint): string[] {
  return pools.length > 0 ? pools.map(({ subnet }) => subnet) : addresses.map(({ address }) => networkOf(address));
}

/** Why ports are not published on such a network. */
export const OWN_ADDRESS =
  'the container has an address of its own on the LAN, where all its ports are reached; leave -p out';
