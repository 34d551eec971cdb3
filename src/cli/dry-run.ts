/** What the changing verbs print: the plan of a `--dry-run`, the answer as JSON, the warnings. */
import type { CliContext } from './context.ts';
import { describeResource } from '../plan/describe.ts';
import type { Plan } from '../plan/resource.ts';

/** Options of every verb that changes something (`addDryRun`). */
export interface ChangeOptions {
  readonly dryRun?: true;
  readonly format?: 'text' | 'json';
}

/** What the engine is asked. */
export function rehearsal({ dryRun }: ChangeOptions): { readonly dryRun?: true } {
  return dryRun === true ? { dryRun } : {};
}

interface Change {
  readonly plan: Plan;
  readonly warnings: readonly string[];
}

/** Warnings, then the plan of a dry run or the answer in JSON; true when that was all there is to print. */
export function printChange(
  context: CliContext,
  {
    answer,
    options,
    direction,
  }: { readonly answer: Change; readonly options: ChangeOptions; readonly direction: 'make' | 'remove' },
): boolean {
  printWarnings(context, answer.warnings);
  if (options.format === 'json') context.write(`${JSON.stringify(answer)}\n`);
  else if (options.dryRun) context.write(planLines(answer.plan, direction));
  return options.format === 'json' || options.dryRun === true;
}

export function printWarnings(context: CliContext, warnings: readonly string[]): void {
  for (const warning of warnings) context.writeError(`tsnet: warning: ${warning}`);
}

/** One line a resource, in the order of the work: "+ bridge tsnet0" is made, "- bridge tsnet0" is removed. */
export function planLines(plan: Plan, direction: 'make' | 'remove'): string {
  const lines = plan.map((resource) => `${direction === 'make' ? '+' : '-'} ${describeResource(resource)}\n`);
  return (direction === 'make' ? lines : lines.reverse()).join('');
}
