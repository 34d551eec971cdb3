/** The result of an attached container, as the reference bridge plugin tells it: bridge, host's end, container's end. */
import type { SandboxView } from '../../engine/engine.ts';
import { TsnetError } from '../../model/error.ts';
import type { Endpoint, Network, Sandbox } from '../../model/records.ts';
import { ifbName } from '../../plan/limit-resources.ts';
import { objectAt, textsAt } from './fields.ts';
import type { PluginConfig } from './network-config.ts';
import { readDns, type CniDns, type CniInterface, type CniIp, type CniResult, type CniRoute } from './result.ts';

export interface Attachment {
  readonly view: SandboxView;
  readonly network: Network;
  /** What plugins before us did. */
  readonly before: CniResult;
  /** What another IPAM plugin gave. */
  readonly given: CniResult | undefined;
  readonly config: PluginConfig;
  /** As the runtime wrote it. */
  readonly netns: string;
}

export function attachedResult({ view, network, before, given, config, netns }: Attachment): CniResult {
  const endpoint = view.endpoints.find(({ networkId }) => networkId === network.id);
  if (endpoint === undefined) throw new TsnetError('INTERNAL', `attach ${view.sandbox.name}: no endpoint was made`);
  const others = [...before.interfaces, ...hostInterfaces(network, endpoint)];
  const { interfaceName: name, mac, bandwidth } = endpoint;
  const interfaces: CniInterface[] = [
    ...others,
    { name, ...(mac === '' ? {} : { mac }), sandbox: netns },
    ...(bandwidth?.egress === undefined ? [] : [{ name: ifbName(endpoint) }]),
  ];
  const ips = endpoint.addresses.map(({ address, gateway }): CniIp => ({
    address,
    ...(gateway === undefined ? {} : { gateway }),
    interface: others.length,
  }));
  return {
    interfaces,
    ips: [...before.ips, ...ips],
    routes: [...before.routes, ...defaultRoutes(view.sandbox, endpoint)],
    dns: firstDns([runtimeDns(config), readDns(objectAt(config.fields, 'dns')), before.dns, given?.dns]),
    others: before.others,
  };
}

/** What of the pair, and of what it is plugged into, is on the host. */
function hostInterfaces({ settings }: Network, { hostLink }: Endpoint): CniInterface[] {
  const { bridge, mac } = settings;
  if (typeof bridge !== 'string') return [];
  return [
    { name: bridge, ...(typeof mac === 'string' && settings['adopted'] !== true ? { mac } : {}) },
    { name: hostLink },
  ];
}

/** A container's first network has the default route, where nobody else had made one. */
function defaultRoutes({ foreignDefaultRoutes }: Sandbox, { addresses, ordinal }: Endpoint): CniRoute[] {
  if (ordinal !== 0) return [];
  return addresses.flatMap(({ address, gateway }): CniRoute[] => {
    const isSix = address.includes(':');
    if (gateway === undefined || foreignDefaultRoutes.includes(isSix ? 6 : 4)) return [];
    return [{ dst: isSix ? '::/0' : '0.0.0.0/0', gw: gateway }];
  });
}

function runtimeDns({ fields }: PluginConfig): CniDns {
  const dns = objectAt(objectAt(fields, 'runtimeConfig'), 'dns');
  return { nameservers: textsAt(dns, 'servers'), search: textsAt(dns, 'searches'), options: textsAt(dns, 'options') };
}

/** Each member from the first that has it. */
function firstDns(sources: readonly (CniDns | undefined)[]): CniDns {
  const list = (key: 'nameservers' | 'search' | 'options'): readonly string[] =>
    sources.map((dns) => dns?.[key] ?? []).find(({ length }) => length > 0) ?? [];
  const domain = sources.map((dns) => dns?.domain).find((one) => one !== undefined);
  return {
    nameservers: list('nameservers'),
    ...(domain === undefined ? {} : { domain }),
    search: list('search'),
    options: list('options'),
  };
}
