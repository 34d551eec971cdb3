/** A network as Docker's templates see it: the fields of the Go type behind `docker network inspect`, not the names of the JSON. */
import type { DockerIpamConfig, DockerNetwork } from '../engine/docker-network.ts';
import { GoMap, GoStruct, stringMap, type Value } from './go-template/value.ts';
import { goTime } from './ls.ts';

export function networkStruct(network: DockerNetwork): GoStruct {
  const { Name, Driver, Scope, EnableIPv4, EnableIPv6, Internal, Attachable, Ingress, ConfigOnly } = network;
  return new GoStruct({
    typeName: 'network.Inspect',
    json: network,
    fields: {
      Name,
      ID: network.Id,
      Created: new GoStruct({
        typeName: 'time.Time',
        fields: {},
        json: network.Created,
        text: goTime(network.Created),
      }),
      Scope,
      Driver,
      EnableIPv4,
      EnableIPv6,
      IPAM: ipamStruct(network),
      Internal,
      Attachable,
      Ingress,
      ConfigFrom: new GoStruct({
        typeName: 'network.ConfigReference',
        fields: { ...network.ConfigFrom },
        json: network.ConfigFrom,
      }),
      ConfigOnly,
      Containers: containerMap(network),
      Options: stringMap(network.Options),
      Labels: stringMap(network.Labels),
      Peers: (network.Peers ?? []).map(
        (peer) => new GoStruct({ typeName: 'network.PeerInfo', fields: { ...peer }, json: peer }),
      ),
      Services: new GoMap([], null, 'map[string]network.ServiceInfo'),
    },
  });
}

function ipamStruct({ IPAM }: DockerNetwork): GoStruct {
  return new GoStruct({
    typeName: 'network.IPAM',
    json: IPAM,
    fields: {
      Driver: IPAM.Driver,
      Options: stringMap(IPAM.Options ?? {}),
      Config: (IPAM.Config ?? []).map(ipamConfigStruct),
    },
  });
}

function ipamConfigStruct(config: DockerIpamConfig): Value {
  return new GoStruct({
    typeName: 'network.IPAMConfig',
    json: config,
    fields: {
      Subnet: config.Subnet,
      IPRange: config.IPRange ?? '',
      Gateway: config.Gateway ?? '',
      AuxAddress: stringMap(config.AuxiliaryAddresses ?? {}),
    },
  });
}

function containerMap({ Containers }: DockerNetwork): GoMap {
  const entries = Object.entries(Containers).map(([id, container]): [string, Value] => [
    id,
    new GoStruct({ typeName: 'network.EndpointResource', fields: { ...container }, json: container }),
  ]);
  const none = { Name: '', EndpointID: '', MacAddress: '', IPv4Address: '', IPv6Address: '' };
  const zero = new GoStruct({ typeName: 'network.EndpointResource', fields: none, json: none });
  return new GoMap(entries, zero, 'map[string]network.EndpointResource');
}
