/** `tsnet gc`: lets go of what dead containers and killed commands left; with `--dry-run` only says what. */
import type { Engine } from '../engine/engine.ts';
import { rehearsal, type ChangeOptions } from './dry-run.ts';
import { addDryRun } from './options.ts';
import { alignTabs } from './table.ts';
import type { DefineVerb } from './verbs.ts';

export const define: DefineVerb = (command, context) => {
  addDryRun(command).action(async (options: ChangeOptions) => {
    const engine = await context.engine();
    const garbage = await engine.gc(rehearsal(options));
    if (options.dryRun !== true) await sweepFiles(engine, (await context.config()).execRoot);
    context.write(
      options.format === 'json'
        ? `${JSON.stringify(garbage)}\n`
        : alignTabs(garbage.map(({ kind, name, reason }) => `${kind}\t${name}\t${reason}\n`).join('')),
    );
  });
};

/** The engine lets go of records and namespaces; the files that a sandbox was launched with are the command line's. */
async function sweepFiles(engine: Engine, execRoot: string): Promise<void> {
  const { sweepSandboxFiles } = await import('../launch/sandbox-files.ts');
  await sweepSandboxFiles(
    execRoot,
    async () => new Set((await engine.listSandboxes()).map(({ sandbox }) => sandbox.id)),
  );
}
