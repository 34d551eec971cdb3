/** `tsnet gc`: lets go of what dead containers and killed commands left; with `--dry-run` only says what. */
import { rehearsal, type ChangeOptions } from './dry-run.ts';
import { addDryRun } from './options.ts';
import { alignTabs } from './table.ts';
import type { DefineVerb } from './verbs.ts';

export const define: DefineVerb = (command, context) => {
  addDryRun(command).action(async (options: ChangeOptions) => {
    const engine = await context.engine();
    const garbage = await engine.gc(rehearsal(options));
    context.write(
      options.format === 'json'
        ? `${JSON.stringify(garbage)}\n`
        : alignTabs(garbage.map(({ kind, name, reason }) => `${kind}\t${name}\t${reason}\n`).join('')),
    );
  });
};
