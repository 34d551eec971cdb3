/** Go templates as users of `docker --format` know them: parse once, then render value after value. */
import { evaluate } from './evaluate.ts';
import { FUNCTION_NAMES } from './functions.ts';
import { parseTemplate } from './parser.ts';
import type { Value } from './value.ts';

export interface Template {
  /** @throws TsnetError INVALID when the value has not what the template asks for */
  render(value: Value, how?: { readonly missingKeyIsError?: boolean; readonly inHeader?: boolean }): string;
}

/** @throws TsnetError INVALID when it cannot be parsed */
export function compileTemplate(template: string): Template {
  const nodes = parseTemplate(template, FUNCTION_NAMES);
  return { render: (data, how) => evaluate({ template, nodes, data, ...how }) };
}
