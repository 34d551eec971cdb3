/**
 * Reading other people's JSON member by member: what is wrong is named by its path, as in `networks.web.static_ips[1]`. Members
 * that are `null` count as absent, as serde's Option takes them; unknown ones are nobody's business.
 */
import { TsnetError } from '../../model/error.ts';
import type { JsonObject, JsonValue } from '../../model/records.ts';

/** An object and where it stands in the whole. */
export interface Fields {
  readonly path: string;
  readonly object: JsonObject;
}

function refuse(path: string, expected: string): never {
  throw undecodable(`${path}: expected ${expected}`);
}

/** netavark's words for what it cannot read. */
export function undecodable(why: string): TsnetError {
  return new TsnetError('INVALID', `failed to load network options: JSON Decoding error: ${why}`);
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object at `path`. @throws TsnetError INVALID */
export function fieldsOf(value: JsonValue | undefined, path: string): Fields {
  return value !== undefined && isObject(value) ? { path, object: value } : refuse(path, 'an object');
}

function at({ path, object }: Fields, key: string): { readonly path: string; readonly value: JsonValue | undefined } {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  return { path: path === '' ? key : `${path}.${key}`, value: value ?? undefined };
}

/** Whether the member is there and not null. */
export function has(fields: Fields, key: string): boolean {
  return at(fields, key).value !== undefined;
}

export function text(fields: Fields, key: string): string {
  const { path, value } = at(fields, key);
  return typeof value === 'string' ? value : refuse(path, 'a string');
}

export function optionalText(fields: Fields, key: string): string | undefined {
  return has(fields, key) ? text(fields, key) : undefined;
}

export function flag(fields: Fields, key: string): boolean {
  const { path, value } = at(fields, key);
  return typeof value === 'boolean' ? value : refuse(path, 'true or false');
}

/** A whole number from 0 to `most`. */
export function whole(fields: Fields, key: string, most: number): number {
  const { path, value } = at(fields, key);
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return value;
  return refuse(path, `a whole number from 0 to ${most}`);
}

/** A list of strings; empty where it is absent. */
export function texts(fields: Fields, key: string): string[] {
  return list(fields, key).map(({ path, value }) => (typeof value === 'string' ? value : refuse(path, 'a string')));
}

/** A list of objects; empty where it is absent. */
export function objects(fields: Fields, key: string): Fields[] {
  return list(fields, key).map(({ path, value }) => fieldsOf(value, path));
}

function list(fields: Fields, key: string): { readonly path: string; readonly value: JsonValue }[] {
  const { path, value } = at(fields, key);
  if (value === undefined) return [];
  if (!Array.isArray(value)) return refuse(path, 'a list');
  return value.map((one: JsonValue, index) => ({ path: `${path}[${index}]`, value: one }));
}

export function member(fields: Fields, key: string): Fields {
  const { path, value } = at(fields, key);
  return fieldsOf(value, path);
}

export function optionalMember(fields: Fields, key: string): Fields | undefined {
  return has(fields, key) ? member(fields, key) : undefined;
}

/** The members of a map of objects; none where it is absent. */
export function entries(fields: Fields, key: string): (readonly [string, Fields])[] {
  const map = optionalMember(fields, key);
  if (map === undefined) return [];
  return Object.entries(map.object).map(([name, value]) => [name, fieldsOf(value, `${map.path}.${name}`)] as const);
}

/** A map of strings; empty where it is absent. */
export function pairs(fields: Fields, key: string): Record<string, string> {
  const map = optionalMember(fields, key);
  if (map === undefined) return {};
  return Object.fromEntries(Object.keys(map.object).map((name) => [name, text(map, name)]));
}

/** Whether a member is a list, for what comes in two shapes. */
export function isList(fields: Fields, key: string): boolean {
  return Array.isArray(at(fields, key).value);
}

/** A whole document. @throws TsnetError INVALID */
export function parseDocument(document: string): Fields {
  let value: JsonValue;
  try {
    value = JSON.parse(document) as JsonValue;
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/\s+/g, ' ') : String(error);
    throw undecodable(why);
  }
  return { ...fieldsOf(value, 'the document'), path: '' };
}
