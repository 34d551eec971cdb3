/** Docker's `filters` in a query: JSON, a map of lists or, as its clients send it since 2014, of sets. */
import type { NetworkFilters } from '../../../engine/engine.ts';
import { TsnetError } from '../../../model/error.ts';

/** `{"driver":{"bridge":true}}` and `{"driver":["bridge"]}` are the same. @throws TsnetError INVALID */
export function parseFilters(text: string | undefined): NetworkFilters {
  if (text === undefined || text === '') return {};
  const refused = (cause?: unknown): TsnetError =>
    new TsnetError('INVALID', 'invalid filter: expected JSON such as {"driver":{"bridge":true}}', { cause });
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw refused(cause);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw refused();
  return Object.fromEntries(
    Object.entries(parsed).map(([key, values]: [string, unknown]) => {
      const list = valuesOf(values);
      if (list === undefined) throw refused();
      return [key, list];
    }),
  );
}

function valuesOf(values: unknown): readonly string[] | undefined {
  if (Array.isArray(values)) return values.every((each) => typeof each === 'string') ? values : undefined;
  return typeof values === 'object' && values !== null ? Object.keys(values) : undefined;
}

/** @throws TsnetError INVALID for a key that is not one of `known` */
export function requireKnown(filters: NetworkFilters, known: readonly string[]): void {
  const unknown = Object.keys(filters).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new TsnetError('INVALID', `invalid filter '${unknown}': filters: ${known.join(', ')}`);
  }
}
