/** Which conntrack entries must go when ports or endpoints come and go. */
import type { Endpoint, Family, PublishedPort } from '../model/records.ts';
import type { FlowFilter } from '../plan/kernel.ts';

function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

/** Flows to UDP host ports that were tracked while nobody published them. */
export function staleFlows(ports: readonly PublishedPort[]): FlowFilter[] {
  return ports
    .filter(({ protocol }) => protocol === 'udp')
    .map(({ protocol, hostAddress, hostPort, count }) => ({
      family: familyOf(hostAddress),
      protocol,
      hostPorts: [hostPort, hostPort + count - 1],
    }));
}

/** Flows through ports of an endpoint that are being withdrawn: they would go on to the old container otherwise. */
export function portFlows(endpoint: Endpoint, ports: readonly PublishedPort[]): FlowFilter[] {
  return ports.flatMap(({ protocol, hostAddress, hostPort, count }) => {
    const family = familyOf(hostAddress);
    const address = endpoint.addresses.find((own) => familyOf(own.address) === family)?.address;
    if (address === undefined) return [];
    return [
      {
        family,
        protocol,
        hostPorts: [hostPort, hostPort + count - 1] as const,
        address: address.slice(0, address.indexOf('/')),
      },
    ];
  });
}

/** All flows of an endpoint that is leaving. */
export function endpointFlows(endpoint: Endpoint): FlowFilter[] {
  return endpoint.addresses.map(({ address }) => ({
    family: familyOf(address),
    address: address.slice(0, address.indexOf('/')),
  }));
}
