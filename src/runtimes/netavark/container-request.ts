/**
 * What stands on standard input of `setup` and `teardown`: one container, the networks that it joins or leaves, its ports.
 *
 * The drop-in is given several networks, as a map or, from newer podman, as a list; the plugin interface gives one.
 */
import { TsnetError } from '../../model/error.ts';
import type { Protocol } from '../../model/records.ts';
import {
  entries,
  fieldsOf,
  has,
  isList,
  member,
  objects,
  optionalText,
  text,
  texts,
  undecodable,
  whole,
  type Fields,
} from './json-fields.ts';
import { address, networkNameAt, readNetwork, withPluginDriver, type PodmanNetwork } from './network-info.ts';

/** One container's place on one network. */
export interface PodmanAttachment {
  readonly network: PodmanNetwork;
  readonly interfaceName: string;
  readonly staticIps: readonly string[];
  readonly staticMac?: string;
  readonly aliases: readonly string[];
}

/** `range` ports from `hostPort` on lead to as many from `containerPort` on. */
export interface PodmanPort {
  /** "" : every address. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly range: number;
  readonly protocols: readonly Protocol[];
}

export interface ContainerRequest {
  readonly id: string;
  readonly name: string;
  /** Nameservers that the container asks outside. */
  readonly dnsServers: readonly string[];
  readonly ports: readonly PodmanPort[];
  /** In the order of the interfaces' names: the first gives the default route. */
  readonly attachments: readonly PodmanAttachment[];
}

const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'sctp'];
const MOST_PORTS = 65535;

/** @throws TsnetError INVALID */
export function readContainerRequest(fields: Fields): ContainerRequest {
  return {
    ...readContainer(fields),
    attachments: networkOptions(fields)
      .map(([name, options]) => readAttachment(networkInfo(fields, name), options))
      .sort((a, b) => compareNames(a.interfaceName, b.interfaceName)),
  };
}

/** The same of the plugin interface. @throws TsnetError INVALID */
export function readPluginRequest(fields: Fields): ContainerRequest {
  return {
    ...readContainer(fields),
    attachments: [
      readAttachment(withPluginDriver(readNetwork(member(fields, 'network'))), member(fields, 'network_options')),
    ],
  };
}

/** "eth2" before "eth10". */
function compareNames(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

function readContainer(fields: Fields): Omit<ContainerRequest, 'attachments'> {
  const id = text(fields, 'container_id');
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(id)) throw undecodable(`container_id: "${id}" is no id of a container`);
  return {
    id,
    name: text(fields, 'container_name'),
    dnsServers: texts(fields, 'dns_servers').map((one) => address(one, 'dns_servers')),
    ports: objects(fields, 'port_mappings').map(readPort),
  };
}

function networkOptions(fields: Fields): (readonly [string, Fields])[] {
  if (isList(fields, 'networks')) return objects(fields, 'networks').map((one) => [networkNameAt(one, 'name'), one]);
  if (!has(fields, 'networks')) throw undecodable('networks: it is missing');
  return entries(fields, 'networks');
}

function networkInfo(fields: Fields, name: string): PodmanNetwork {
  const infos = member(fields, 'network_info');
  if (!Object.hasOwn(infos.object, name)) {
    throw new TsnetError('INVALID', `network info for network ${name} not found`);
  }
  return readNetwork(fieldsOf(infos.object[name], `network_info.${name}`));
}

function readAttachment(network: PodmanNetwork, fields: Fields): PodmanAttachment {
  const staticMac = optionalText(fields, 'static_mac');
  return {
    network,
    interfaceName: text(fields, 'interface_name'),
    staticIps: texts(fields, 'static_ips').map((one) => address(one, `${fields.path}.static_ips`)),
    ...(staticMac === undefined || staticMac === '' ? {} : { staticMac }),
    aliases: texts(fields, 'aliases'),
  };
}

function readPort(fields: Fields): PodmanPort {
  const protocols = (optionalText(fields, 'protocol') ?? 'tcp').split(',').map((one) => one.trim().toLowerCase());
  const hostIp = optionalText(fields, 'host_ip') ?? '';
  return {
    hostIp: hostIp === '' ? '' : address(hostIp, `${fields.path}.host_ip`),
    hostPort: whole(fields, 'host_port', MOST_PORTS),
    containerPort: whole(fields, 'container_port', MOST_PORTS),
    // Podman leaves it out, or 0, for a single port.
    range: Math.max(1, has(fields, 'range') ? whole(fields, 'range', MOST_PORTS) : 1),
    protocols: protocols.map((one) => {
      const known = PROTOCOLS.find((protocol) => protocol === one);
      if (known !== undefined) return known;
      throw undecodable(`${fields.path}.protocol: "${one}" is not one of tcp, udp, sctp`);
    }),
  };
}
