/** What a container is to get on its network: addresses, MAC, ports, aliases, limits. */
import { canonicalAddress, familyOf, isAddress, parseInterface, withoutLength } from '../../model/address.ts';
import type { Network } from '../../model/records.ts';
import type { AttachOptions } from '../../engine/engine.ts';
import { readBandwidth } from './bandwidth-request.ts';
import { CniError } from './cni-error.ts';
import { readArgs, type CniArgs } from './cni-args.ts';
import { fieldsOf, flagAt, itemsAt, numberAt, objectAt, objectsAt, textAt, textsAt, type Fields } from './fields.ts';
import type { Invocation } from './invocation.ts';
import type { PluginConfig } from './network-config.ts';
import type { CniIp } from './result.ts';

/** @throws CniError 4, 6, 7 */
export function attachOptions(
  { fields, interfaceName }: PluginConfig,
  { args: argsText }: Invocation,
  { network, delegated }: { readonly network: Network; readonly delegated: readonly CniIp[] | undefined },
): AttachOptions {
  const [args, runtime] = [readArgs(argsText), objectAt(fields, 'runtimeConfig')];
  const ips = delegated?.map(({ address }) => address) ?? wantedAddresses(fields, args);
  const mac = wantedMac(fields, args);
  const aliases = [...aliasesOf(runtime), ...(args.podName === undefined ? [] : [args.podName])];
  const ports = objectsAt(runtime, 'portMappings').flatMap((mapping) => publishText(mapping, network) ?? []);
  const bandwidth = readBandwidth(fields);
  return {
    interfaceName,
    ...oneOfEach(ips, network),
    ...(mac === undefined ? {} : { mac }),
    ...(aliases.length === 0 ? {} : { aliases: [...new Set(aliases)] }),
    ...(ports.length === 0 ? {} : { ports: [...new Set(ports)] }),
    ...(runtimeHoldsPorts(fields, args) ? { runtimeHoldsPorts: true } : {}),
    ...(bandwidth === undefined ? {} : { bandwidth }),
  };
}

/**
 * Podman has its conmon bind the ports that it publishes, so that the host's other programs stay off them. It is known by its
 * arguments, a name without a namespace; a configuration may say it of others.
 */
function runtimeHoldsPorts(fields: Fields, { podName, podNamespace }: CniArgs): boolean {
  return flagAt(fields, 'runtimeHoldsPorts') ?? (podName !== undefined && podNamespace === undefined);
}

/** How the container is called: its pod, where the runtime tells. */
export function containerName({ args: argsText }: Invocation): string | undefined {
  const { podName, podNamespace } = readArgs(argsText);
  if (podName === undefined) return undefined;
  return podNamespace === undefined ? podName : `${podName}.${podNamespace}`;
}

/** The first that names any: what the runtime decided, metadata, arguments. */
function wantedAddresses(fields: Fields, args: CniArgs): readonly string[] {
  const sources = [textsAt(objectAt(fields, 'runtimeConfig'), 'ips'), textsAt(metadata(fields), 'ips'), args.ips];
  return sources.find(({ length }) => length > 0) ?? [];
}

function wantedMac(fields: Fields, args: CniArgs): string | undefined {
  return textAt(objectAt(fields, 'runtimeConfig'), 'mac') ?? textAt(metadata(fields), 'mac') ?? args.mac;
}

function metadata(fields: Fields): Fields {
  return objectAt(objectAt(fields, 'args'), 'cni');
}

function oneOfEach(ips: readonly string[], network: Network): Pick<AttachOptions, 'ip' | 'ip6'> {
  const of = (family: 4 | 6): string | undefined => {
    // Podman says one twice when it reloads.
    const found = [...new Set(ips.map(bareAddress))].filter((address) => familyOf(address) === family);
    if (found.length > 1) {
      throw new CniError(
        7,
        `${found.join(' and ')} for one container`,
        `a container has one IPv${family} address on network ${network.name}`,
      );
    }
    return found[0];
  };
  const [ip, ip6] = [of(4), of(6)];
  return { ...(ip === undefined ? {} : { ip }), ...(ip6 === undefined ? {} : { ip6 }) };
}

/** "10.1.0.5" or "10.1.0.5/16". @throws TsnetError INVALID */
function bareAddress(text: string): string {
  if (text.includes('/')) parseInterface(text);
  return canonicalAddress(withoutLength(text));
}

/** A list, or, as ocicni keeps them, lists by network. */
function aliasesOf(runtime: Fields): string[] {
  const value = runtime.value('aliases');
  if (Array.isArray(value) || value === undefined) return textsAt(runtime, 'aliases');
  const byNetwork = objectAt(runtime, 'aliases');
  const names = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  return names.flatMap((name) => textsAt(byNetwork, name));
}

/**
 * A port mapping as `tsnet connect -p` takes it; undefined for one that publishes nothing: without a host port, or at an address of
 * a family that the container has none of. An unspecified address means all, of either family.
 */
function publishText(mapping: Fields, { pools }: Network): string | undefined {
  const [hostPort, containerPort] = [port(mapping, 'hostPort') ?? 0, port(mapping, 'containerPort')];
  if (containerPort === undefined) throw new CniError(7, `${mapping.where} has no containerPort`);
  if (hostPort === 0) return undefined;
  const protocol = (textAt(mapping, 'protocol') ?? 'tcp').toLowerCase();
  const ports = `${hostPort}:${containerPort}/${protocol}`;
  const host = textAt(mapping, 'hostIP');
  if (host === undefined) return ports;
  if (!isAddress(host)) throw new CniError(7, `${mapping.where}.hostIP is no address: ${JSON.stringify(host)}`);
  const address = canonicalAddress(host);
  if (address === '0.0.0.0' || address === '::') return ports;
  const family = familyOf(address);
  if (!pools.some(({ subnet }) => familyOf(subnet) === family)) return undefined;
  return family === 6 ? `[${address}]:${ports}` : `${address}:${ports}`;
}

function port(mapping: Fields, key: string): number | undefined {
  const value = numberAt(mapping, key);
  if (value === undefined || value <= 65_535) return value;
  throw new CniError(7, `${mapping.where}.${key} is no port: ${value}`);
}

/** The attachments that a GC call names as valid; undefined where it names no list. @throws CniError 6 */
export function validAttachments(
  fields: Fields,
): readonly { readonly containerId: string; readonly interfaceName: string }[] | undefined {
  const key = ['cni.dev/valid-attachments', 'cni.dev/attachments'].find((name) => fields.value(name) !== undefined);
  if (key === undefined) return undefined;
  itemsAt(fields, key);
  return objectsAt(fieldsOf({ [key]: fields.value(key) ?? [] }, ''), key).map((attachment) => ({
    containerId: textAt(attachment, 'containerID') ?? '',
    interfaceName: textAt(attachment, 'ifname') ?? '',
  }));
}
