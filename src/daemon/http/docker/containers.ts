/** Sandboxes as Docker's containers: as much of them as is about networks, and what `docker ps` and completion need. */
import type { SandboxView } from '../../../engine/engine.ts';
import { elapsedText } from '../../../model/elapsed.ts';
import type { Endpoint, PublishedPort } from '../../../model/records.ts';
import { isAtLeast } from './api-version.ts';

type NamedEndpoint = SandboxView['endpoints'][number];

/** An entry of `GET /containers/json`. */
export function containerSummary(view: SandboxView, nowMs: number): Readonly<Record<string, unknown>> {
  const { sandbox, endpoints } = view;
  const createdMs = Date.parse(sandbox.createdAt);
  return {
    Id: sandbox.id,
    Names: [`/${sandbox.name}`],
    Image: '',
    ImageID: '',
    Command: (sandbox.command ?? []).join(' '),
    Created: Math.floor(createdMs / 1000),
    Ports: endpoints.flatMap(({ ports }) => ports.flatMap(portEntries)),
    Labels: {},
    State: view.alive ? 'running' : 'dead',
    Status: view.alive ? `Up ${elapsedText(nowMs - createdMs)}` : 'Dead',
    HostConfig: { NetworkMode: networkMode(view) },
    NetworkSettings: { Networks: networksOf(endpoints) },
    Mounts: [],
  };
}

/** `GET /containers/{id}/json`. */
export function containerInspect(view: SandboxView, version: string): Readonly<Record<string, unknown>> {
  const { sandbox, endpoints, alive } = view;
  const [Path = '', ...Args] = sandbox.command ?? [];
  return {
    Id: sandbox.id,
    Created: sandbox.createdAt,
    Path,
    Args,
    State: {
      Status: alive ? 'running' : 'dead',
      Running: alive,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: !alive,
      Pid: alive ? (sandbox.process?.pid ?? 0) : 0,
      ExitCode: 0,
      Error: '',
      StartedAt: sandbox.createdAt,
      FinishedAt: '0001-01-01T00:00:00Z',
    },
    Image: '',
    Name: `/${sandbox.name}`,
    RestartCount: 0,
    Driver: '',
    Platform: 'linux',
    HostConfig: { NetworkMode: networkMode(view), PortBindings: portMap(endpoints) },
    Mounts: [],
    Config: { Hostname: '', Env: null, Cmd: sandbox.command ?? null, Image: '', Labels: {} },
    NetworkSettings: {
      SandboxID: sandbox.id,
      SandboxKey: sandbox.netns.path,
      Ports: portMap(endpoints),
      ...(isAtLeast(version, '1.52') ? {} : defaultAddresses(endpoints)),
      Networks: networksOf(endpoints),
    },
  };
}

/** What was typed behind `--network`. */
function networkMode({ endpoints, sharesNetworkOf }: SandboxView): string {
  return sharesNetworkOf ?? endpoints[0]?.networkName ?? 'none';
}

function networksOf(endpoints: readonly NamedEndpoint[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(endpoints.map((endpoint) => [endpoint.networkName, endpointSettings(endpoint)]));
}

function endpointSettings(endpoint: Endpoint): Readonly<Record<string, unknown>> {
  const four = addressParts(endpoint, false);
  const six = addressParts(endpoint, true);
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: endpoint.aliases.length > 0 ? endpoint.aliases : null,
    DriverOpts: Object.keys(endpoint.driverOptions).length > 0 ? endpoint.driverOptions : null,
    GwPriority: endpoint.gatewayPriority,
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.id,
    Gateway: four.gateway,
    IPAddress: four.address,
    MacAddress: endpoint.mac,
    IPPrefixLen: four.length,
    IPv6Gateway: six.gateway,
    GlobalIPv6Address: six.address,
    GlobalIPv6PrefixLen: six.length,
    DNSNames: null,
  };
}

function addressParts(
  { addresses }: Endpoint,
  colon: boolean,
): { readonly address: string; readonly length: number; readonly gateway: string } {
  const found = addresses.find(({ address }) => address.includes(':') === colon);
  const [address = '', length = '0'] = found?.address.split('/') ?? [];
  return { address, length: Number(length), gateway: found?.gateway ?? '' };
}

/** Those of the default network, as clients before 1.52 read them. */
function defaultAddresses(endpoints: readonly NamedEndpoint[]): Readonly<Record<string, unknown>> {
  const bridge = endpoints.find(({ networkName }) => networkName === 'bridge');
  const settings = bridge === undefined ? undefined : endpointSettings(bridge);
  return {
    Bridge: '',
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: settings?.['EndpointID'] ?? '',
    Gateway: settings?.['Gateway'] ?? '',
    GlobalIPv6Address: settings?.['GlobalIPv6Address'] ?? '',
    GlobalIPv6PrefixLen: settings?.['GlobalIPv6PrefixLen'] ?? 0,
    IPAddress: settings?.['IPAddress'] ?? '',
    IPPrefixLen: settings?.['IPPrefixLen'] ?? 0,
    IPv6Gateway: settings?.['IPv6Gateway'] ?? '',
    MacAddress: settings?.['MacAddress'] ?? '',
  };
}

/** Docker knows no ranges. */
function portEntries(port: PublishedPort): Readonly<Record<string, unknown>>[] {
  return Array.from({ length: port.count }, (_, index) => ({
    IP: port.hostAddress,
    PrivatePort: port.containerPort + index,
    PublicPort: port.hostPort + index,
    Type: port.protocol,
  }));
}

function portMap(endpoints: readonly Endpoint[]): Readonly<Record<string, unknown>> {
  const map: Record<string, { readonly HostIp: string; readonly HostPort: string }[]> = {};
  for (const port of endpoints.flatMap(({ ports }) => ports)) {
    for (let index = 0; index < port.count; index++) {
      const key = `${port.containerPort + index}/${port.protocol}`;
      (map[key] ??= []).push({ HostIp: port.hostAddress, HostPort: String(port.hostPort + index) });
    }
  }
  return map;
}

const STATES = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead'];

/** `filters` of `GET /containers/json`: the keys that tell sandboxes apart. */
export const CONTAINER_FILTERS = ['id', 'name', 'network', 'status', 'label'];

export function passes(view: SandboxView, filters: Readonly<Record<string, readonly string[]>>): boolean {
  const { sandbox, endpoints, alive } = view;
  const tests: Readonly<Record<string, (value: string) => boolean>> = {
    id: (value) => sandbox.id.startsWith(value),
    name: (value) => sandbox.name.includes(value.replace(/^\//, '').replace(/^\^\/?|\$$/g, '')),
    network: (value) => endpoints.some(({ networkName, networkId }) => networkName === value || networkId === value),
    status: (value) => STATES.includes(value) && value === (alive ? 'running' : 'dead'),
    // Sandboxes have none.
    label: () => false,
  };
  return Object.entries(filters).every(([key, values]) => values.some((value) => tests[key]?.(value) === true));
}
