/** `tsnet __reap ID`: what the undertaker of a detached command becomes when the command has ended. */
import { existsSync } from 'node:fs';
import { removeSandboxFiles, sandboxFolder } from '../launch/sandbox-files.ts';
import { TsnetError } from '../model/error.ts';
import { removeOwnSandbox } from './sandbox-removal.ts';
import type { DefineVerb } from './verbs.ts';

export const define: DefineVerb = (command, context) => {
  command.argument('<id>').action(async (id: string) => {
    const { execRoot } = await context.config();
    const folder = sandboxFolder(execRoot, id);
    // The files go last: `stop` has been here, and there is no ledger to open.
    if (!existsSync(folder)) return;
    const engine = await context.engine();
    try {
      const { sandbox } = await engine.inspectSandbox(id);
      if (sandbox.origin.kind === 'own') await removeOwnSandbox(engine, id, execRoot);
    } catch (error) {
      if (!(error instanceof TsnetError && error.code === 'NOT_FOUND')) throw error;
      // gc has been here, which knows of the ledger and the kernel only.
      removeSandboxFiles(folder);
    }
  });
};
