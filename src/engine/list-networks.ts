/**
 * `tsnet ls` filters, as the Docker Engine applies them: keys AND each other; several values of driver, id, name and
 * scope OR, several labels must all match. id and name are regular expressions found anywhere.
 */
import { TsnetError } from '../model/error.ts';
import type { LedgerView } from '../model/ledger.ts';
import type { Network } from '../model/records.ts';
import type { NetworkFilters } from './engine.ts';

type Matcher = (network: Network, values: readonly string[], view: LedgerView) => boolean;

function pattern(value: string, key: string): RegExp {
  try {
    return new RegExp(value);
  } catch (cause) {
    throw new TsnetError('INVALID', `filter ${key}=${value}: it is not a regular expression`, { cause });
  }
}

function truth(value: string, key: string): boolean {
  if (['1', 'true'].includes(value)) return true;
  if (['0', 'false'].includes(value)) return false;
  throw new TsnetError('INVALID', `filter ${key}=${value}: expected true or false`);
}

/** "key" or "key=value" against labels. */
export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = '', ...rest] = wanted.split('=');
  return Object.hasOwn(labels, key) && (rest.length === 0 || labels[key] === rest.join('='));
}

const MATCHERS: Readonly<Record<string, Matcher>> = {
  driver: ({ driver }, values) => values.includes(driver),
  id: ({ id }, values) => values.some((value) => pattern(value, 'id').test(id)),
  name: ({ name }, values) => values.some((value) => pattern(value, 'name').test(name)),
  label: ({ labels }, values) => values.every((value) => hasLabel(labels, value)),
  scope: ({ scope }, values) => values.includes(scope),
  type: ({ predefined }, values) =>
    values.some((value) => {
      if (value !== 'custom' && value !== 'builtin') {
        throw new TsnetError('INVALID', `filter type=${value}: expected custom or builtin`);
      }
      return predefined === (value === 'builtin');
    }),
  dangling: (network, values, view) => {
    if (values.length > 1) throw new TsnetError('INVALID', 'filter dangling: give it once');
    return values.every(
      (value) => truth(value, 'dangling') === (!network.predefined && !view.hasEndpoints(network.id)),
    );
  },
};

/** The networks that pass the filters; networks that are being created or removed are not shown. */
export function selectNetworks(view: LedgerView, filters: NetworkFilters = {}): Network[] {
  for (const key of Object.keys(filters)) {
    if (!Object.hasOwn(MATCHERS, key)) {
      throw new TsnetError(
        'INVALID',
        `filter ${key}: there is no such filter; filters: ${Object.keys(MATCHERS).join(', ')}`,
      );
    }
  }
  const tests = Object.entries(filters);
  return view
    .networks()
    .filter(({ state }) => state === 'active')
    .filter((network) => tests.every(([key, values]) => MATCHERS[key]?.(network, values, view) === true));
}
