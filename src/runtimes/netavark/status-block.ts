/** What `setup` answers a network: podman writes resolv.conf and `podman inspect` from it. */
import { familyOf } from '../../model/address.ts';
import type { Endpoint } from '../../model/records.ts';
import { SEARCH_DOMAIN } from './attach-options.ts';
import type { PodmanNetwork } from './network-info.ts';

export interface StatusBlock {
  readonly dns_search_domains: readonly string[];
  readonly dns_server_ips: readonly string[];
  readonly interfaces: Readonly<
    Record<
      string,
      {
        readonly mac_address: string;
        readonly subnets: readonly { readonly gateway?: string; readonly ipnet: string }[];
      }
    >
  >;
}

/** Of a link that has the MAC of its parent; podman wants one. */
const NO_MAC = '00:00:00:00:00:00';

export function statusBlock(
  network: PodmanNetwork,
  endpoint: Pick<Endpoint, 'interfaceName' | 'mac' | 'addresses'>,
  nameservers: readonly string[],
): StatusBlock {
  return {
    dns_search_domains: nameservers.length > 0 ? [SEARCH_DOMAIN] : [],
    dns_server_ips: nameservers,
    interfaces: {
      [endpoint.interfaceName]: {
        mac_address: endpoint.mac === '' ? NO_MAC : endpoint.mac,
        subnets: endpoint.addresses.map(({ address, gateway }) => {
          const family = familyOf(address);
          const given = network.subnets.find(({ subnet }) => familyOf(subnet) === family)?.gateway ?? gateway;
          return given === undefined ? { ipnet: address } : { gateway: given, ipnet: address };
        }),
      },
    },
  };
}
