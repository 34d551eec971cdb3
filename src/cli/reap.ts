/** `tsnet __reap ID`: what the undertaker of a detached command becomes when the command has ended. */
import { TsnetError } from '../model/error.ts';
import { removeOwnSandbox } from './sandbox-removal.ts';
import type { DefineVerb } from './verbs.ts';

export const define: DefineVerb = (command, context) => {
  command.argument('<id>').action(async (id: string) => {
    const engine = await context.engine();
    const { execRoot } = await context.config();
    try {
      const { sandbox } = await engine.inspectSandbox(id);
      if (sandbox.origin.kind === 'own') await removeOwnSandbox(engine, sandbox, execRoot);
    } catch (error) {
      // `stop` and gc may have been here before.
      if (!(error instanceof TsnetError && error.code === 'NOT_FOUND')) throw error;
    }
  });
};
