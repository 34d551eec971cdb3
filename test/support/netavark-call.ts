/** Calls of `dist/netavark` as podman makes them, for namespaces that no podman made. */
import path from 'node:path';
import type { Host, Namespace, Outcome } from './lab.ts';

export const NETAVARK = path.resolve(import.meta.dirname, '../../dist/netavark');

export interface Route {
  readonly destination: string;
  readonly gateway?: string;
  readonly metric?: number;
  readonly route_type?: string;
}

export interface NetworkChoice {
  readonly name: string;
  readonly driver?: string;
  readonly networkInterface?: string;
  /** "subnet gateway", or the subnet alone. */
  readonly subnets?: readonly string[];
  readonly internal?: boolean;
  readonly options?: Readonly<Record<string, string>>;
  readonly routes?: readonly Route[];
  readonly ipam?: string;
}

/** A network as podman keeps it. */
export function networkInfo(choice: NetworkChoice): Record<string, unknown> {
  const { name, driver = 'bridge', networkInterface = `br-${name}`, subnets = [], internal = false } = choice;
  return {
    name,
    id: Buffer.from(name).toString('hex').padEnd(64, '0'),
    driver,
    ...(networkInterface === '' ? {} : { network_interface: networkInterface }),
    created: '2026-11-23T01:05:57.49562283Z',
    subnets: subnets.map((text) => {
      const [subnet, gateway] = text.split(' ');
      return gateway === undefined ? { subnet } : { subnet, gateway };
    }),
    ipv6_enabled: subnets.some((subnet) => subnet.includes(':')),
    internal,
    dns_enabled: false,
    ...(choice.options === undefined ? {} : { options: choice.options }),
    ...(choice.routes === undefined ? {} : { routes: choice.routes }),
    ipam_options: { driver: choice.ipam ?? 'host-local' },
  };
}

export interface Joining {
  readonly network: NetworkChoice;
  readonly ips?: readonly string[];
  readonly interfaceName?: string;
}

export interface Port {
  readonly host_ip?: string;
  readonly host_port: number;
  readonly container_port: number;
  readonly protocol?: string;
  readonly range?: number;
}

/** What stands on standard input of setup and teardown. */
export function containerRequest(id: string, joining: readonly Joining[], ports: readonly Port[] = []): string {
  return JSON.stringify({
    container_id: id,
    container_name: id,
    port_mappings: ports.map((port) => ({ host_ip: '', protocol: 'tcp', range: 1, ...port })),
    networks: Object.fromEntries(
      joining.map(({ network, ips, interfaceName }, index) => [
        network.name,
        {
          ...(ips === undefined ? {} : { static_ips: ips }),
          interface_name: interfaceName ?? `eth${String(index)}`,
          aliases: [],
        },
      ]),
    ),
    network_info: Object.fromEntries(joining.map(({ network }) => [network.name, networkInfo(network)])),
  });
}

/** Runs netavark on a host. */
export function netavark(host: Host, args: readonly string[], input = '', program = NETAVARK): Promise<Outcome> {
  return host.run(program, ['--config', path.join(host.dir, 'netavark'), ...args], { input, env: host.env });
}

/** A setup that must succeed; its answer. */
export async function setUp(host: Host, container: Namespace, request: string): Promise<Record<string, unknown>> {
  const { status, stdout } = await netavark(host, ['setup', container.path], request);
  if (status !== 0) throw new Error(stdout);
  return JSON.parse(stdout) as Record<string, unknown>;
}
