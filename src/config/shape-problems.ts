/** Says in words what the schema holds against a daemon.json: the place as a JSON pointer, the value, what was expected. */
import type { ErrorObject } from 'ajv';
import type { JsonObject, JsonValue } from '../model/records.ts';
import { nearestName } from '../model/names.ts';
import { schemaFaults } from './schema-check.ts';

/** One line a bad value, and one line for all unknown keys together. `knownKeys` are the top-level ones. */
export function shapeProblems(file: JsonObject, knownKeys: readonly string[]): string[] {
  const faults = schemaFaults(file);
  const problems = faults
    .filter(({ keyword }) => keyword !== 'additionalProperties')
    .map((fault) => `${fault.instancePath}: ${show(valueAt(file, fault.instancePath))}: expected ${expected(fault)}`);
  const unknown = faults
    .filter(({ keyword }) => keyword === 'additionalProperties')
    .map((fault) => {
      const key = String(fault.params['additionalProperty']);
      const meant = nearestName(key, fault.instancePath === '' ? knownKeys : INNER_KEYS);
      return `${fault.instancePath}/${key}${meant === undefined ? '' : ` (did you mean ${meant}?)`}`;
    });
  if (unknown.length > 0) problems.push(`unknown ${unknown.length === 1 ? 'key' : 'keys'} ${unknown.join(', ')}`);
  return problems;
}

/** Keys of the objects inside. */
const INNER_KEYS = ['base', 'size', 'ca', 'cert', 'key', 'user', 'password', 'ttl'];

/** A value as it stands in the file, cut to what fits a line. */
export function show(value: JsonValue | undefined): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) return 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function expected({ keyword, params, schemaPath, message }: ErrorObject): string {
  const parameters: Readonly<Record<string, unknown>> = params;
  switch (keyword) {
    case 'type':
      return TYPE_WORDS[String(parameters['type'])] ?? String(parameters['type']);
    case 'enum':
      return `one of ${(parameters['allowedValues'] as unknown[]).map((value) => JSON.stringify(value)).join(', ')}`;
    case 'minimum':
      return `at least ${String(parameters['limit'])}`;
    case 'maximum':
      return `at most ${String(parameters['limit'])}`;
    case 'required':
      return `a member "${String(parameters['missingProperty'])}"`;
    case 'pattern':
      return PATTERN_WORDS.find(([key]) => schemaPath.includes(`/${key}/`))?.[1] ?? message ?? 'something else';
    default:
      return message ?? 'something else';
  }
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  boolean: 'true or false',
  string: 'text in double quotes',
  integer: 'a whole number',
  array: 'a list in square brackets',
  object: 'an object in braces',
};

/** What the patterns of the schema mean, by the key they belong to. */
const PATTERN_WORDS: readonly (readonly [string, string])[] = [
  ['data-root', 'an absolute path'],
  ['exec-root', 'an absolute path'],
  ['hosts', 'an address such as unix:///run/tsnet/tsnet.sock'],
  ['bridge', 'the name of a bridge: at most 15 characters without blanks, "/" and ":"'],
  ['dns-opts', 'an option such as ndots:2'],
  ['dns-search', 'a domain'],
  ['drivers', 'a module or file'],
  ['cluster-store', 'an address such as etcd://10.0.0.5:2379'],
  ['ca', 'an absolute path'],
  ['cert', 'an absolute path'],
  ['key', 'an absolute path'],
  ['kv.cacertfile', 'an absolute path'],
  ['kv.certfile', 'an absolute path'],
  ['kv.keyfile', 'an absolute path'],
  ['ttl', 'seconds in double quotes'],
  ['discovery.ttl', 'seconds in double quotes'],
  ['cluster-advertise', 'an interface or an address, such as eth0:4789'],
];

/** What an RFC 6901 pointer points at. */
function valueAt(file: JsonObject, pointer: string): JsonValue | undefined {
  let value: JsonValue | undefined = file;
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Readonly<Record<string, JsonValue>>)[key];
  }
  return value;
}
