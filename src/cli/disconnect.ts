/** `tsnet disconnect`: takes a container off a network. */
import { printChange, rehearsal, type ChangeOptions } from './dry-run.ts';
import { addDryRun } from './options.ts';
import type { DefineVerb } from './verbs.ts';

interface DisconnectOptions extends ChangeOptions {
  readonly force?: true;
}

export const define: DefineVerb = (command, context) => {
  addDryRun(
    command
      .argument('<network>', 'name or id of the network')
      .argument('<container>', 'as for connect')
      .option('-f, --force', 'forget the endpoint even where the kernel refuses'),
  ).action(async (network: string, container: string, options: DisconnectOptions) => {
    const engine = await context.engine();
    const force = options.force === true ? { force: true } : {};
    const answer = await engine.disconnect({ network, container, ...force, ...rehearsal(options) });
    printChange(context, { answer, options, direction: 'remove' });
  });
};
