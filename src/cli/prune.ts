/** `tsnet prune`: removes the networks that nobody uses, after asking. */
import type { NetworkFilters } from '../engine/engine.ts';
import type { CliContext } from './context.ts';
import { rehearsal, type ChangeOptions } from './dry-run.ts';
import { addDryRun, collectFilters } from './options.ts';
import type { DefineVerb } from './verbs.ts';

interface PruneOptions extends ChangeOptions {
  readonly force?: true;
  readonly filter?: NetworkFilters;
}

const QUESTION =
  'WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue? [y/N] ';

export const define: DefineVerb = (command, context) => {
  addDryRun(
    command
      .option('-f, --force', 'do not ask')
      .option('--filter <key=value>', 'until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]', collectFilters),
  ).action((options: PruneOptions) => prune(options, context));
};

async function prune(options: PruneOptions, context: CliContext): Promise<void> {
  const asks = options.force !== true && options.dryRun !== true;
  if (asks && !/^y$/i.test((await context.ask(QUESTION))?.trim() ?? '')) return;
  const engine = await context.engine();
  const answer = await engine.pruneNetworks({
    ...(options.filter === undefined ? {} : { filters: options.filter }),
    ...rehearsal(options),
  });
  if (options.format === 'json') {
    context.write(`${JSON.stringify(answer)}\n`);
  } else if (answer.removed.length > 0) {
    const heading = options.dryRun ? 'Networks that would be deleted:' : 'Deleted Networks:';
    context.write(`${heading}\n${answer.removed.map((name) => `${name}\n`).join('')}\n`);
  }
  for (const { name, reason } of answer.failed) context.writeError(`tsnet: remove network ${name}: ${reason}`);
  if (answer.failed.length > 0) context.exitWith(1);
}
