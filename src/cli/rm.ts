/** `tsnet rm`: removes networks one by one, prints the name of each, and goes on after an error. */
import { TsnetError } from '../model/error.ts';
import { printChange, rehearsal, type ChangeOptions } from './dry-run.ts';
import { addDryRun } from './options.ts';
import type { DefineVerb } from './verbs.ts';

interface RmOptions extends ChangeOptions {
  readonly force?: true;
}

export const define: DefineVerb = (command, context) => {
  addDryRun(
    command.argument('<network...>', 'names or ids').option('-f, --force', 'a network that is not there is no error'),
  ).action(async (references: string[], options: RmOptions) => {
    const engine = await context.engine();
    for (const network of references) {
      try {
        const answer = await engine.removeNetwork({ network, ...rehearsal(options) });
        if (!printChange(context, { answer, options, direction: 'remove' })) context.write(`${answer.name}\n`);
      } catch (error) {
        if (options.force && error instanceof TsnetError && error.code === 'NOT_FOUND') continue;
        context.report(error);
      }
    }
  });
};
