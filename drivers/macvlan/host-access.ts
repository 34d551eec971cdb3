/**
 * How the host reaches its own macvlan containers (`-o host_access=true`), which the kernel keeps it from.
 *
 *     host namespace                                            sandbox
 *     ──────────────                                            ───────
 *     eth0 192.168.22.11 ──┬──────────────────────────────────  eth0 192.168.22.200
 *                          └── tsm-XXXXXXXXXXX (macvlan, shim)
 *
 *     192.168.22.200/32 dev tsm-XXXXXXXXXXX src 192.168.22.11    on the host
 *     192.168.22.200 at the container's MAC, for good            on the host
 *     192.168.22.11 at the shim's MAC, for good                  in the sandbox
 *
 * A packet to the container leaves by the shim, a sibling of the container's link, and carries the host's own address; the
 * answer goes to the shim's MAC. No address of the LAN is spent. The LAN hears nothing of it: with both MACs known nobody has
 * to ask, and the shim answers no ARP request (arp_ignore 8). Were it to ask with the host's address as sender, all neighbours
 * would take the shim's MAC for the host's.
 */
import { contains, familyOf, hostPrefix, parseAddress, parsePrefix, withoutLength } from '../../src/model/address.ts';
import { TsnetError } from '../../src/model/error.ts';
import type { Endpoint, JsonObject, Network, Pool } from '../../src/model/records.ts';
import type { ConfigureInput } from '../../src/plan/driver.ts';
import { TAG_PREFIX, type Plan, type Resource } from '../../src/plan/resource.ts';

export interface HostAccess extends JsonObject {
  /** Name of the shim. */
  readonly shim: string;
  readonly mac: string;
  /** Addresses by which containers know the host, at most one a family. */
  readonly addresses: readonly HostAddress[];
}

interface HostAddress extends JsonObject {
  readonly address: string;
  /** `parent`: the parent link has it; `shim`: reserved for the host (--aux-address host=…). */
  readonly on: 'parent' | 'shim';
}

/** Name of the aux address that the shim gets. */
const AUX_NAME = 'host';
/** Digits of the network's id in the shim's name, "tsm-" and these: as long as a name may be. */
const SHIM_DIGITS = 11;

/**
 * The host's addresses in the subnets of the network: reserved ones first, else those of the parent.
 * @throws TsnetError where it has none
 */
export function configureHostAccess({ draft, facts }: ConfigureInput, parent: string): HostAccess {
  const held = facts.links.find(({ name }) => name === parent)?.addresses ?? [];
  const addresses = draft.pools.flatMap((pool): HostAddress[] => {
    const reserved = pool.aux[AUX_NAME];
    if (reserved !== undefined) return [{ address: reserved, on: 'shim' }];
    const own = held.map(withoutLength).find((address) => isIn(pool, address));
    return own === undefined ? [] : [{ address: own, on: 'parent' }];
  });
  // Where a DHCP server gives the addresses, their subnet is the parent's.
  const own = draft.pools.length > 0 ? undefined : held.map(withoutLength).find((one) => familyOf(one) === 4);
  if (own !== undefined) addresses.push({ address: own, on: 'parent' });
  if (addresses.length === 0) {
    const subnets = draft.pools.map(({ subnet }) => subnet).join(', ');
    throw new TsnetError(
      'FORBIDDEN',
      `create network ${draft.name}: host_access needs an address of this host in ${subnets || 'its subnet'}, and ${parent} has none; give it one, or reserve one with --aux-address ${AUX_NAME}=ADDRESS`,
    );
  }
  return {
    shim: `tsm-${draft.id.slice(0, SHIM_DIGITS)}`,
    mac: `02:42:${(draft.id.slice(0, 8).match(/../g) ?? []).join(':')}`,
    addresses: ([4, 6] as const).flatMap(
      (family) => addresses.find(({ address }) => familyOf(address) === family) ?? [],
    ),
  };
}

function isIn({ subnet }: Pool, address: string): boolean {
  return contains(parsePrefix(subnet), parseAddress(address));
}

/** The shim, for all containers of the network. */
export function shimPlan({ shim, mac, addresses }: HostAccess, network: Network, parent: string): Plan {
  const conf = (family: 'ipv4' | 'ipv6', key: string, value: string): Resource => ({
    kind: 'sysctl',
    place: 'host',
    key: `net/${family}/conf/${shim}/${key}`,
    value,
    mode: 'prefer',
  });
  const hasIPv6 = addresses.some(({ address }) => familyOf(address) === 6);
  return [
    {
      kind: 'macvlan',
      place: 'host',
      name: shim,
      parent,
      mode: 'bridge',
      mac,
      tag: `${TAG_PREFIX}${network.id}`,
    },
    conf('ipv4', 'arp_ignore', '8'),
    conf('ipv6', 'disable_ipv6', hasIPv6 ? '0' : '1'),
    ...(hasIPv6 ? [conf('ipv6', 'accept_ra', '0')] : []),
    ...addresses
      .filter(({ on }) => on === 'shim')
      .map(({ address }): Resource => ({ kind: 'address', place: 'host', link: shim, address: hostPrefix(address) })),
    { kind: 'link-up', place: 'host', link: shim },
  ];
}

/** The way to one container and back; it comes and goes with the container. */
export function accessPlan({ shim, mac, addresses }: HostAccess, endpoint: Endpoint): Plan {
  return endpoint.addresses.flatMap((own): Resource[] => {
    const family = familyOf(own.address);
    const host = addresses.find(({ address }) => familyOf(address) === family)?.address;
    if (host === undefined) return [];
    const address = withoutLength(own.address);
    return [
      { kind: 'route', place: 'host', family, destination: hostPrefix(address), link: shim, source: host },
      { kind: 'neighbour', place: 'host', link: shim, address, mac: endpoint.mac },
      {
        kind: 'neighbour',
        place: { sandbox: endpoint.sandboxId },
        link: endpoint.interfaceName,
        address: host,
        mac,
      },
    ];
  });
}
