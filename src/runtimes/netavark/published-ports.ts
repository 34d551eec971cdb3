/**
 * Which of a container's networks publishes which port.
 *
 * Podman hands all ports of a container over with every call, `network connect` included, and netavark opens them on each network.
 * A host port leads to one place here: for each family the first network that has it, unless the container publishes the port
 * already. When that network is left, the next one takes the ports over (teardown.ts).
 */
import { familyOf } from '../../model/address.ts';
import { formatPortRequest } from '../../model/port-mapping.ts';
import type { Family, Protocol, PublishedPort } from '../../model/records.ts';
import type { PodmanPort } from './container-request.ts';

/** A network that can publish, and the families that the container has on it. */
export interface Publisher {
  readonly network: string;
  readonly families: readonly Family[];
}

const EVERYWHERE: Readonly<Record<Family, string>> = { 4: '0.0.0.0', 6: '::' };

/** Network → ports in the syntax of `--publish`. What no network can publish is left out, as netavark does. */
export function portsByNetwork(
  ports: readonly PodmanPort[],
  publishers: readonly Publisher[],
  published: readonly PublishedPort[] = [],
): ReadonlyMap<string, readonly string[]> {
  const byNetwork = new Map<string, string[]>();
  const put = (network: string, port: string): void => {
    byNetwork.set(network, [...(byNetwork.get(network) ?? []), port]);
  };
  for (const port of ports) {
    for (const protocol of port.protocols) {
      const wanted: readonly Family[] = port.hostIp === '' ? [4, 6] : [familyOf(port.hostIp)];
      for (const family of wanted) {
        const hostAddress = port.hostIp === '' ? EVERYWHERE[family] : port.hostIp;
        const publisher = publishers.find(({ families }) => families.includes(family));
        if (publisher === undefined || isPublished(published, { ...port, protocol, hostAddress })) continue;
        put(publisher.network, requestOf(port, { protocol, hostAddress }));
      }
    }
  }
  return byNetwork;
}

interface Sought {
  readonly protocol: Protocol;
  readonly hostAddress: string;
  readonly hostPort: number;
}

function isPublished(published: readonly PublishedPort[], { protocol, hostAddress, hostPort }: Sought): boolean {
  return published.some(
    (port) =>
      port.protocol === protocol &&
      port.hostAddress === hostAddress &&
      port.hostPort <= hostPort &&
      hostPort < port.hostPort + port.count,
  );
}

function requestOf(
  { hostPort, containerPort, range }: PodmanPort,
  { protocol, hostAddress }: Omit<Sought, 'hostPort'>,
): string {
  return formatPortRequest({
    protocol,
    hostAddress,
    hostPort: hostPort === 0 ? 'ephemeral' : { first: hostPort, last: hostPort + range - 1 },
    containerPort,
    count: range,
  });
}
