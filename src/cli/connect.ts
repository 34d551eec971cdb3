/** `tsnet connect`: attaches a container to a network. Silent when it worked, as Docker is. */
import type { CliContext } from './context.ts';
import { printChange, rehearsal, type ChangeOptions } from './dry-run.ts';
import { addDryRun, address, collect, collectList, collectPairs, wholeNumber } from './options.ts';
import type { DefineVerb } from './verbs.ts';

interface ConnectOptions extends ChangeOptions {
  readonly ip?: string;
  readonly ip6?: string;
  readonly macAddress?: string;
  readonly interface?: string;
  readonly alias?: readonly string[];
  readonly publish?: readonly string[];
  readonly gwPriority?: number;
  readonly driverOpt?: Readonly<Record<string, string>>;
}

export const define: DefineVerb = (command, context) => {
  addDryRun(
    command
      .argument('<network>', 'name or id of the network')
      .argument(
        '<container>',
        'name or id of a sandbox, path of a namespace, netns:NAME, pid:N, docker:NAME, podman:NAME',
      )
      .option('--ip <ip>', 'IPv4 address', address)
      .option('--ip6 <ip>', 'IPv6 address', address)
      .option('--mac-address <mac>', 'MAC address')
      .option('--interface <name>', 'name of the interface in the container (default: the next ethN)')
      .option('--alias <name>', 'further name of the container on this network', collectList)
      .option('-p, --publish <ports>', 'publish ports, [IP:][HOST[-END]]:CONTAINER[-END][/tcp|udp|sctp]', collect)
      .option('--gw-priority <number>', 'the highest gives the default route', wholeNumber)
      .option('--driver-opt <key=value>', 'option of the driver', collectPairs),
  ).action((network: string, container: string, options: ConnectOptions) =>
    connect({ network, container }, options, context),
  );
};

async function connect(
  target: { readonly network: string; readonly container: string },
  options: ConnectOptions,
  context: CliContext,
): Promise<void> {
  const engine = await context.engine();
  const answer = await engine.connect({
    ...target,
    ...(options.ip === undefined ? {} : { ip: options.ip }),
    ...(options.ip6 === undefined ? {} : { ip6: options.ip6 }),
    ...(options.macAddress === undefined ? {} : { mac: options.macAddress }),
    ...(options.interface === undefined ? {} : { interfaceName: options.interface }),
    ...(options.alias === undefined ? {} : { aliases: options.alias }),
    ...(options.publish === undefined ? {} : { ports: options.publish }),
    ...(options.gwPriority === undefined ? {} : { gatewayPriority: options.gwPriority }),
    ...(options.driverOpt === undefined ? {} : { driverOptions: options.driverOpt }),
    ...rehearsal(options),
  });
  printChange(context, { answer, options, direction: 'make' });
}
