/** `tsnet stop`: ends sandboxes of our own. */
import { InvalidArgumentError } from 'commander';
import type { Engine } from '../engine/engine.ts';
import { requirePrivilege } from '../launch/privilege.ts';
import { processFacts } from '../launch/process-table.ts';
import { signalSandbox, waitUntil } from '../launch/sandbox-processes.ts';
import { TsnetError } from '../model/error.ts';
import type { CliContext } from './context.ts';
import { wholeNumber } from './options.ts';
import { habitatOf, removeOwnSandbox } from './sandbox-removal.ts';
import type { DefineVerb } from './verbs.ts';

function seconds(value: string): number {
  const number = wholeNumber(value);
  if (number < 0 || number > 86_400) throw new InvalidArgumentError('Expected seconds, 0 to 86400.');
  return number;
}

export const define: DefineVerb = (command, context) => {
  command
    .argument('<container...>', 'names or ids')
    .option('-t, --timeout <seconds>', 'seconds between SIGTERM and SIGKILL', seconds, 10)
    .action(async (containers: string[], { timeout }: { readonly timeout: number }) => {
      requirePrivilege('stop');
      const engine = await context.engine();
      // All have the same time, not one after the other.
      await Promise.all(
        containers.map((container) =>
          stop(context, engine, { container, timeoutMs: timeout * 1000 }).catch(context.report),
        ),
      );
    });
};

async function stop(
  context: CliContext,
  engine: Engine,
  { container, timeoutMs }: { readonly container: string; readonly timeoutMs: number },
): Promise<void> {
  const { execRoot } = await context.config();
  const view = await engine.inspectSandbox(container);
  const { sandbox, alive } = view;
  if (sandbox.origin.kind !== 'own') {
    throw new TsnetError(
      'FORBIDDEN',
      `stop ${container}: it is not a sandbox of ours but ${sandbox.origin.kind}'s; stop it there, or \`tsnet disconnect\` it`,
    );
  }
  const first = sandbox.process;
  if (first !== undefined && alive) {
    signalSandbox(habitatOf(view), first, 'SIGTERM');
    const hasEnded = (): boolean => {
      const state = processFacts(first.pid)?.state;
      return state === undefined || state === 'Z' || state === 'X';
    };
    await waitUntil(hasEnded, timeoutMs);
  }
  await removeOwnSandbox(engine, sandbox.id, execRoot);
  context.write(`${container}\n`);
}
