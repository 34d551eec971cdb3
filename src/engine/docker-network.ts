/**
 * A network as the Docker Engine API shows it (`GET /networks/{id}`, API 1.52), made from the records.
 */
import { contains, networkOf, parseAddress, parsePrefix } from '../model/address.ts';
import type { Endpoint, Network, Sandbox } from '../model/records.ts';
import type { NetworkPeers } from './cluster.ts';

export interface DockerIpamConfig {
  readonly Subnet: string;
  readonly IPRange?: string;
  readonly Gateway?: string;
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>>;
}

export interface DockerContainerEntry {
  readonly Name: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  /** "172.17.0.2/16" or "". */
  readonly IPv4Address: string;
  readonly IPv6Address: string;
}

export interface DockerNetwork {
  readonly Name: string;
  readonly Id: string;
  readonly Created: string;
  readonly Scope: string;
  readonly Driver: string;
  readonly EnableIPv4: boolean;
  readonly EnableIPv6: boolean;
  readonly IPAM: {
    readonly Driver: string;
    readonly Options: Readonly<Record<string, string>> | null;
    readonly Config: readonly DockerIpamConfig[] | null;
  };
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Ingress: boolean;
  readonly ConfigFrom: { readonly Network: string };
  readonly ConfigOnly: boolean;
  /** Keyed by sandbox id. */
  readonly Containers: Readonly<Record<string, DockerContainerEntry>>;
  readonly Options: Readonly<Record<string, string>>;
  readonly Labels: Readonly<Record<string, string>>;
  /** Of a network of a cluster: the hosts that have containers on it, and ours: the blocks of addresses that they have (`mode=block`). */
  readonly Peers?: readonly { readonly Name: string; readonly IP: string; readonly Blocks?: readonly string[] }[];
  /** Ours: what whoever uses the network should know. */
  readonly Caveat?: string;
}

/** `containers` are the network's endpoints with their sandboxes. */
export function dockerNetwork(
  network: Network,
  containers: readonly { readonly endpoint: Endpoint; readonly sandbox: Sandbox | undefined }[],
): DockerNetwork {
  const addressOf = (endpoint: Endpoint, colon: boolean): string =>
    endpoint.addresses.find(({ address }) => address.includes(':') === colon)?.address ?? '';
  return {
    Name: network.name,
    Id: network.id,
    Created: network.createdAt,
    Scope: network.scope,
    Driver: network.driver,
    EnableIPv4: network.enableIPv4,
    EnableIPv6: network.enableIPv6,
    IPAM: {
      Driver: network.ipamDriver,
      Options: Object.keys(network.ipamOptions).length > 0 ? network.ipamOptions : null,
      Config:
        network.pools.length === 0
          ? leasedSubnets(containers.map(({ endpoint }) => endpoint))
          : network.pools.map((pool) => ({
              Subnet: pool.subnet,
              ...(pool.range === undefined ? {} : { IPRange: pool.range }),
              ...(pool.gateway === undefined ? {} : { Gateway: pool.gateway }),
              ...(Object.keys(pool.aux).length === 0 ? {} : { AuxiliaryAddresses: pool.aux }),
            })),
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(
      containers.map(({ endpoint, sandbox }) => [
        sandbox?.id ?? `ep-${endpoint.id}`,
        {
          Name: sandbox?.name ?? '',
          EndpointID: endpoint.id,
          MacAddress: endpoint.mac,
          IPv4Address: addressOf(endpoint, false),
          IPv6Address: addressOf(endpoint, true),
        },
      ]),
    ),
    Options: network.options,
    Labels: network.labels,
    ...(network.caveat === undefined ? {} : { Caveat: network.caveat }),
  };
}

/** The same with what other hosts have of it. Their containers are keyed as Docker keyed those of other hosts: "ep-" and an id. */
export function withPeers(network: DockerNetwork, { hosts, endpoints }: NetworkPeers): DockerNetwork {
  const lengthOf = (address: string): string => {
    const subnet = (network.IPAM.Config ?? []).find(({ Subnet }) =>
      contains(parsePrefix(Subnet), parseAddress(address)),
    );
    return subnet === undefined ? address : `${address}/${parsePrefix(subnet.Subnet).length}`;
  };
  const addressOf = (addresses: readonly string[], colon: boolean): string => {
    const address = addresses.find((one) => one.includes(':') === colon);
    return address === undefined ? '' : lengthOf(address);
  };
  const remote = endpoints.map(({ sandboxId, name, mac, addresses }) => [
    `ep-${sandboxId}`,
    {
      Name: name,
      EndpointID: sandboxId,
      MacAddress: mac,
      IPv4Address: addressOf(addresses, false),
      IPv6Address: addressOf(addresses, true),
    },
  ]);
  return {
    ...network,
    Containers: { ...network.Containers, ...(Object.fromEntries(remote) as DockerNetwork['Containers']) },
    Peers: hosts.map(({ name, address, blocks }) => ({
      Name: name,
      IP: address,
      ...(blocks === undefined ? {} : { Blocks: blocks }),
    })),
  };
}

/** The subnets that DHCP servers named with the addresses they gave; null while there are none. */
function leasedSubnets(endpoints: readonly Endpoint[]): DockerIpamConfig[] | null {
  const configs = new Map<string, DockerIpamConfig>();
  for (const { dhcp, addresses } of endpoints) {
    if (dhcp === undefined) continue;
    for (const { address, gateway } of addresses) {
      const subnet = networkOf(address);
      configs.set(subnet, { Subnet: subnet, ...(gateway === undefined ? {} : { Gateway: gateway }) });
    }
  }
  return configs.size === 0 ? null : [...configs.values()];
}
