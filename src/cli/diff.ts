/** `tsnet diff`: what differs between the ledger and the kernel. Silent and 0 when nothing does, else one line each and 2. */
import { driftLines } from './drift-text.ts';
import { DRIFT_STATUS } from './errors.ts';
import { jsonFormat } from './options.ts';
import type { DefineVerb } from './verbs.ts';

export const define: DefineVerb = (command, context) => {
  command.addOption(jsonFormat()).action(async ({ format }: { readonly format?: string }) => {
    const engine = await context.engine();
    const drifts = await engine.diff();
    context.write(format === 'json' ? `${JSON.stringify(drifts)}\n` : driftLines(drifts));
    if (drifts.length > 0) context.exitWith(DRIFT_STATUS);
  });
};
