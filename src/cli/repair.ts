/** `tsnet repair`: mends what `diff` shows. Silent when nothing is wrong. */
import { rehearsal, type ChangeOptions } from './dry-run.ts';
import { driftLines, driftWhat } from './drift-text.ts';
import { addDryRun } from './options.ts';
import type { DefineVerb } from './verbs.ts';

export const define: DefineVerb = (command, context) => {
  addDryRun(command).action(async (options: ChangeOptions) => {
    const engine = await context.engine();
    const { repaired, failed } = await engine.repair(rehearsal(options));
    context.write(options.format === 'json' ? `${JSON.stringify({ repaired, failed })}\n` : driftLines(repaired));
    for (const { drift, reason } of failed) {
      context.writeError(`tsnet: repair ${drift.owner}: ${driftWhat(drift)}: ${reason}`);
    }
    if (failed.length > 0) context.exitWith(1);
  });
};
