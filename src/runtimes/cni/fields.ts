/**
 * Reads JSON of others. Keys are found in any case, as Go's decoder finds them: containerd writes `HostPort` where the
 * specification says `hostPort`. Unknown keys are nobody's business.
 */
import type { JsonObject, JsonValue } from '../../model/records.ts';
import { CniError } from './cni-error.ts';

/** An object whose keys are found in any case, and where it stands: "runtimeConfig.portMappings[0]". */
export interface Fields {
  readonly where: string;
  /** undefined for what is not there and for null, which Go takes for the same. */
  readonly value: (key: string) => JsonValue | undefined;
}

const NOTHING: JsonObject = {};

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrong(where: string, expected: string, value: JsonValue): never {
  throw new CniError(6, `cannot read the configuration: ${where} must be ${expected}`, `it is ${brief(value)}`);
}

function brief(value: JsonValue): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

export function fieldsOf(object: JsonObject, where: string): Fields {
  const folded = new Map<string, JsonValue>();
  for (const [key, value] of Object.entries(object)) folded.set(key.toLowerCase(), value);
  return {
    where,
    value: (key) => (Object.hasOwn(object, key) ? object[key] : folded.get(key.toLowerCase())) ?? undefined,
  };
}

function pathOf({ where }: Fields, key: string): string {
  return where === '' ? key : `${where}.${key}`;
}

/** An object in an object; one without fields where there is none. */
export function objectAt(fields: Fields, key: string): Fields {
  return fieldsOf(rawObjectAt(fields, key) ?? NOTHING, pathOf(fields, key));
}

export function rawObjectAt(fields: Fields, key: string): JsonObject | undefined {
  const value = fields.value(key);
  if (value === undefined || isObject(value)) return value;
  return wrong(pathOf(fields, key), 'an object', value);
}

export function textAt(fields: Fields, key: string): string | undefined {
  const value = fields.value(key);
  if (value === undefined || typeof value === 'string') return value === '' ? undefined : value;
  return wrong(pathOf(fields, key), 'a text', value);
}

/** libcni takes the words for the values. */
export function flagAt(fields: Fields, key: string): boolean | undefined {
  const value = fields.value(key);
  if (value === undefined || typeof value === 'boolean') return value;
  if (value === 'true' || value === 'false') return value === 'true';
  return wrong(pathOf(fields, key), 'true or false', value);
}

export function numberAt(fields: Fields, key: string): number | undefined {
  const value = fields.value(key);
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  return wrong(pathOf(fields, key), 'a whole number', value);
}

export function textsAt(fields: Fields, key: string): string[] {
  return itemsAt(fields, key).map((item, index) =>
    typeof item === 'string' ? item : wrong(`${pathOf(fields, key)}[${index}]`, 'a text', item),
  );
}

export function objectsAt(fields: Fields, key: string): Fields[] {
  return itemsAt(fields, key).map((item, index) => {
    const where = `${pathOf(fields, key)}[${index}]`;
    return isObject(item) ? fieldsOf(item, where) : wrong(where, 'an object', item);
  });
}

/** Lists of lists of objects, as ranges are, in one. */
export function objectListsAt(fields: Fields, key: string): Fields[] {
  return itemsAt(fields, key).flatMap((item, outer) => {
    const where = `${pathOf(fields, key)}[${outer}]`;
    if (!Array.isArray(item)) return wrong(where, 'a list', item);
    return (item as readonly JsonValue[]).map((inner, index) =>
      isObject(inner) ? fieldsOf(inner, `${where}[${index}]`) : wrong(`${where}[${index}]`, 'an object', inner),
    );
  });
}

/** Texts by name; numbers and flags become the text that `-o` would take. */
export function pairsAt(fields: Fields, key: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(rawObjectAt(fields, key) ?? NOTHING).map(([name, value]) => {
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
        return [name, String(value)];
      return wrong(`${pathOf(fields, key)}.${name}`, 'a text', value);
    }),
  );
}

export function itemsAt(fields: Fields, key: string): readonly JsonValue[] {
  const value = fields.value(key);
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly JsonValue[]) : wrong(pathOf(fields, key), 'a list', value);
}

/** The object that a text of JSON is. @throws CniError 6 */
export function parseObject(text: string): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new CniError(6, 'cannot read the configuration: it is not JSON', (error as Error).message);
  }
  return isObject(value) ? value : wrong('the configuration', 'an object', value);
}
