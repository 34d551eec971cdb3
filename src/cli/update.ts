/** `tsnet update`: changes a network in use, or with CONTAINER its attachment there. Nothing is disconnected. */
import type { CliContext } from './context.ts';
import { printChange, rehearsal, type ChangeOptions } from './dry-run.ts';
import { UsageError } from './errors.ts';
import { addDryRun, collectLabels, collectList, wholeNumber } from './options.ts';
import type { DefineVerb } from './verbs.ts';

interface UpdateOptions extends ChangeOptions {
  readonly labelAdd?: Readonly<Record<string, string>>;
  readonly labelRm?: readonly string[];
  readonly mtu?: number;
  readonly aliasAdd?: readonly string[];
  readonly aliasRm?: readonly string[];
}

export const define: DefineVerb = (command, context) => {
  addDryRun(
    command
      .argument('<network>', 'name or id of the network')
      .argument('[container]', 'as for connect')
      .option('--label-add <key=value>', 'label of the network; repeatable', collectLabels)
      .option('--label-rm <key>', 'remove a label of the network; repeatable', collectList)
      .option('--mtu <bytes>', 'MTU of the network and of every container on it', wholeNumber)
      .option('--alias-add <name>', 'further name of the container there; repeatable', collectList)
      .option('--alias-rm <name>', 'remove a name of the container there; repeatable', collectList),
  ).action((network: string, container: string | undefined, options: UpdateOptions) =>
    container === undefined
      ? updateNetwork(context, network, options)
      : updateEndpoint(context, { network, container }, options),
  );
};

async function updateNetwork(context: CliContext, network: string, options: UpdateOptions): Promise<void> {
  const { labelAdd, labelRm, mtu, aliasAdd, aliasRm } = options;
  if (aliasAdd !== undefined || aliasRm !== undefined) {
    throw new UsageError('--alias-add and --alias-rm are about one container: tsnet update NETWORK CONTAINER');
  }
  if (labelAdd === undefined && labelRm === undefined && mtu === undefined) {
    throw new UsageError('nothing to change: give --label-add, --label-rm or --mtu');
  }
  const engine = await context.engine();
  const answer = await engine.updateNetwork({
    network,
    ...(labelAdd === undefined ? {} : { labels: labelAdd }),
    ...(labelRm === undefined ? {} : { removeLabels: labelRm }),
    ...(mtu === undefined ? {} : { mtu }),
    ...rehearsal(options),
  });
  printChange(context, { answer, options, direction: 'make' });
}

async function updateEndpoint(
  context: CliContext,
  target: { readonly network: string; readonly container: string },
  options: UpdateOptions,
): Promise<void> {
  const { labelAdd, labelRm, mtu, aliasAdd, aliasRm } = options;
  if (labelAdd !== undefined || labelRm !== undefined || mtu !== undefined) {
    throw new UsageError("labels and MTU are the whole network's: tsnet update NETWORK");
  }
  if (aliasAdd === undefined && aliasRm === undefined) {
    throw new UsageError('nothing to change: give --alias-add or --alias-rm');
  }
  const engine = await context.engine();
  const answer = await engine.updateEndpoint({
    ...target,
    ...(aliasAdd === undefined ? {} : { aliases: aliasAdd }),
    ...(aliasRm === undefined ? {} : { removeAliases: aliasRm }),
    ...rehearsal(options),
  });
  printChange(context, { answer, options, direction: 'make' });
}
