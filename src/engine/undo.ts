/**
 * Failing well: undo what was made, let go of what was claimed, and tell everything in one error.
 */
import { TsnetError } from '../model/error.ts';
import type { Namespaces } from '../plan/kernel.ts';
import type { Plan } from '../plan/resource.ts';
import type { EngineContext } from './context.ts';

/** The first line of an error, for a message that goes on. */
export function reason(error: unknown): string {
  if (error instanceof AggregateError) {
    const [first] = error.errors as readonly unknown[];
    return first === undefined ? error.message : reason(first);
  }
  return error instanceof Error ? error.message : String(error);
}

/** One error for an act that failed and whose undoing may have failed too. */
export function failure(act: string, first: unknown, undo: readonly unknown[]): TsnetError {
  const cause =
    undo.length === 0 ? first : new AggregateError([first, ...undo], 'the change failed and so did its undoing');
  const code = first instanceof TsnetError ? first.code : 'KERNEL';
  const rest =
    undo.length === 0 ? '' : `; undoing it failed too (${undo.map(reason).join('; ')}): run \`tsnet repair\``;
  return new TsnetError(code, `${act}: ${reason(first)}${rest}`, { cause });
}

/** Runs the steps in order whatever happens, and answers what went wrong. */
export async function attempt(...steps: readonly (() => void | Promise<void>)[]): Promise<unknown[]> {
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  return failures;
}

/** Goes from one plan to another: what only the first has is removed, then what only the second has is ensured. */
export interface Transition {
  readonly gone: Plan;
  readonly added: Plan;
}

export async function transit(
  context: EngineContext,
  { gone, added }: Transition,
  namespaces: Namespaces,
): Promise<void> {
  if (gone.length > 0) await context.kernel.remove(gone, namespaces);
  if (added.length > 0) await context.kernel.ensure(added, namespaces);
}

export function reverse({ gone, added }: Transition): Transition {
  return { gone: added, added: gone };
}
