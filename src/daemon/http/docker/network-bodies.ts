/** What Docker's clients send about networks, and the engine's requests that it means. Fields that are not named here are ignored. */
import Type, { type Static } from 'typebox';
import type { ConnectRequest, CreateNetworkRequest, IpamRequest } from '../../../engine/engine.ts';
import { TsnetError } from '../../../model/error.ts';
import { isAtLeast } from './api-version.ts';

/** Go's encoder writes null for what is empty. */
const orNull = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));
const text = (description: string) => orNull(Type.String({ description }));
const flag = (description: string) => orNull(Type.Boolean({ description }));
const texts = (description: string) => orNull(Type.Array(Type.String(), { description }));
const pairs = (description: string) => orNull(Type.Record(Type.String(), Type.String(), { description }));

export const CREATE_BODY = Type.Object({
  Name: Type.String({ description: 'Name of the network' }),
  Driver: text('bridge unless given'),
  Scope: text('local; swarm is refused'),
  EnableIPv4: flag('true unless given; heeded from 1.48 on'),
  EnableIPv6: flag('false unless given'),
  IPAM: orNull(
    Type.Object({
      Driver: text('default unless given'),
      Options: pairs('Options of the IPAM driver'),
      Config: orNull(
        Type.Array(
          Type.Object({
            Subnet: text('172.28.0.0/16'),
            IPRange: text('172.28.5.0/24'),
            Gateway: text('172.28.0.1'),
            AuxiliaryAddresses: pairs('Addresses that other devices have, by name'),
          }),
          { description: 'Subnets; one is chosen where there is none' },
        ),
      ),
    }),
  ),
  Internal: flag('No way out or in'),
  Attachable: flag('Kept; without effect on one host'),
  Ingress: flag('Refused: there is no swarm'),
  ConfigOnly: flag('Refused'),
  ConfigFrom: orNull(Type.Object({ Network: text('Refused') })),
  Options: pairs('Options of the driver'),
  Labels: pairs('Labels'),
});

export const CONNECT_BODY = Type.Object({
  Container: Type.String({
    description: 'Name or id of a sandbox, a path, netns:NAME, pid:N, docker:NAME, podman:NAME, containerd:ID',
  }),
  EndpointConfig: orNull(
    Type.Object({
      IPAMConfig: orNull(
        Type.Object({
          IPv4Address: text('Fixed IPv4 address'),
          IPv6Address: text('Fixed IPv6 address'),
          LinkLocalIPs: texts('Refused'),
        }),
      ),
      Links: texts('Refused: give aliases'),
      Aliases: texts('Further names on the network'),
      DriverOpts: pairs('Options of the driver; com.docker.network.endpoint.ifname names the interface'),
      GwPriority: orNull(Type.Integer({ description: 'The highest gives the default route; heeded from 1.48 on' })),
      MacAddress: text('Heeded from 1.54 on'),
    }),
  ),
});

export const DISCONNECT_BODY = Type.Object({
  Container: Type.String({ description: 'As for connect' }),
  Force: flag('Forget the endpoint even where the kernel refuses'),
});

export type CreateBody = Static<typeof CREATE_BODY>;
export type ConnectBody = Static<typeof CONNECT_BODY>;
export type DisconnectBody = Static<typeof DISCONNECT_BODY>;

/** `version` is the API version that the client speaks. @throws TsnetError for what tsnet does not do */
export function createRequest(body: CreateBody, version: string): CreateNetworkRequest {
  refuseSwarm(body);
  const ipam = (body.IPAM?.Config ?? []).map(ipamRequest).filter((one) => Object.keys(one).length > 0);
  return given({
    name: body.Name,
    driver: body.Driver || undefined,
    ipam: ipam.length > 0 ? ipam : undefined,
    ipamDriver: body.IPAM?.Driver || undefined,
    ipamOptions: body.IPAM?.Options ?? undefined,
    internal: body.Internal ?? undefined,
    attachable: body.Attachable ?? undefined,
    enableIPv4: isAtLeast(version, '1.48') ? (body.EnableIPv4 ?? undefined) : undefined,
    // Absent is not false: a subnet may speak for itself, as it does on the command line.
    enableIPv6: body.EnableIPv6 ?? undefined,
    options: body.Options ?? undefined,
    labels: body.Labels ?? undefined,
  });
}

function ipamRequest(config: NonNullable<NonNullable<NonNullable<CreateBody['IPAM']>['Config']>[number]>): IpamRequest {
  return given({
    subnet: config.Subnet || undefined,
    range: config.IPRange || undefined,
    gateway: config.Gateway || undefined,
    aux: config.AuxiliaryAddresses ?? undefined,
  });
}

function refuseSwarm({ Name, Scope, Ingress, ConfigOnly, ConfigFrom }: CreateBody): void {
  if (Ingress === true || Scope === 'swarm') {
    throw new TsnetError(
      'FORBIDDEN',
      `create network ${Name}: this node is not a swarm manager; leave scope and ingress out`,
    );
  }
  if (ConfigOnly === true || (ConfigFrom?.Network ?? '') !== '') {
    throw new TsnetError(
      'UNSUPPORTED',
      `create network ${Name}: there are no configuration-only networks here; give the configuration itself`,
    );
  }
}

/** As `docker run --network name=web,driver-opt=…` names an interface. */
const INTERFACE_OPTION = 'com.docker.network.endpoint.ifname';

export function connectRequest(network: string, body: ConnectBody, version: string): ConnectRequest {
  const config = body.EndpointConfig ?? {};
  refuseLinks(network, body);
  const { [INTERFACE_OPTION]: interfaceName, ...driverOptions } = config.DriverOpts ?? {};
  return given({
    network,
    container: body.Container,
    ip: config.IPAMConfig?.IPv4Address || undefined,
    ip6: config.IPAMConfig?.IPv6Address || undefined,
    mac: isAtLeast(version, '1.54') ? config.MacAddress || undefined : undefined,
    interfaceName,
    aliases: config.Aliases ?? undefined,
    gatewayPriority: isAtLeast(version, '1.48') ? (config.GwPriority ?? undefined) : undefined,
    driverOptions: Object.keys(driverOptions).length > 0 ? driverOptions : undefined,
  });
}

function refuseLinks(network: string, { Container, EndpointConfig }: ConnectBody): void {
  const refused = (what: string, instead: string): TsnetError =>
    new TsnetError('UNSUPPORTED', `connect ${Container} to ${network}: ${what} are not there; ${instead}`);
  if ((EndpointConfig?.Links ?? []).length > 0) throw refused('links', 'give the other container an alias');
  if ((EndpointConfig?.IPAMConfig?.LinkLocalIPs ?? []).length > 0) {
    throw refused('further link-local addresses', 'leave --link-local-ip out');
  }
}

/** Without what is undefined. */
function given<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
