/** `tsnet create`: the flags of `docker network create`, and the id of what was made. */
import { Option } from 'commander';
import type { CliContext } from './context.ts';
import { printChange, rehearsal, type ChangeOptions } from './dry-run.ts';
import { groupIpam } from './ipam-grouping.ts';
import {
  addDryRun,
  addressList,
  collectLabels,
  collectPairs,
  interfaceAddressList,
  pairsOfAddresses,
} from './options.ts';
import type { DefineVerb } from './verbs.ts';

interface CreateOptions extends ChangeOptions {
  readonly driver: string;
  readonly opt?: Readonly<Record<string, string>>;
  readonly label?: Readonly<Record<string, string>>;
  readonly internal?: true;
  readonly attachable?: true;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly ipamDriver?: string;
  readonly ipamOpt?: Readonly<Record<string, string>>;
  readonly subnet?: readonly string[];
  readonly ipRange?: readonly string[];
  readonly gateway?: readonly string[];
  readonly auxAddress?: Readonly<Record<string, string>>;
}

export const define: DefineVerb = (command, context) => {
  addDryRun(
    command
      .argument('<network>', 'name of the new network')
      .option('-d, --driver <name>', 'driver that makes it', 'bridge')
      .option('-o, --opt <key=value>', 'option of the driver', collectPairs)
      .option('--label <key=value>', 'label', collectLabels)
      .option('--internal', 'no way out of the network and none in')
      .option('--attachable', 'as in Docker; without effect on one host')
      .option('--ipv4', 'give IPv4 addresses (the default)')
      .addOption(new Option('--no-ipv4', 'give no IPv4 addresses'))
      .option('--ipv6', 'give IPv6 addresses')
      .addOption(new Option('--no-ipv6', 'give no IPv6 addresses').hideHelp())
      .option('--subnet <cidr>', 'subnet; once a family', interfaceAddressList)
      .option('--ip-range <cidr>', 'part of the subnet that addresses are given from', interfaceAddressList)
      .option('--gateway <ip>', 'gateway of the subnet', addressList)
      .option('--aux-address <name=ip>', 'address that another device holds', pairsOfAddresses)
      .option('--ipam-driver <name>', 'who gives the addresses')
      .option('--ipam-opt <key=value>', 'option of the IPAM driver', collectPairs),
  ).action((name: string, options: CreateOptions) => create(name, options, context));
};

async function create(name: string, options: CreateOptions, context: CliContext): Promise<void> {
  const ipam = groupIpam({
    subnets: options.subnet ?? [],
    ranges: options.ipRange ?? [],
    gateways: options.gateway ?? [],
    aux: options.auxAddress ?? {},
  });
  const engine = await context.engine();
  const answer = await engine.createNetwork({
    name,
    driver: options.driver,
    ...(ipam.length === 0 ? {} : { ipam }),
    ...(options.ipamDriver === undefined ? {} : { ipamDriver: options.ipamDriver }),
    ...(options.ipamOpt === undefined ? {} : { ipamOptions: options.ipamOpt }),
    ...(options.internal === undefined ? {} : { internal: options.internal }),
    ...(options.attachable === undefined ? {} : { attachable: options.attachable }),
    ...(options.ipv4 === undefined ? {} : { enableIPv4: options.ipv4 }),
    ...(options.ipv6 === undefined ? {} : { enableIPv6: options.ipv6 }),
    ...(options.opt === undefined ? {} : { options: options.opt }),
    ...(options.label === undefined ? {} : { labels: options.label }),
    ...rehearsal(options),
  });
  if (!printChange(context, { answer, options, direction: 'make' })) context.write(`${answer.id}\n`);
}
