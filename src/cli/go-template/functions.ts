/** The functions that templates may call: those of Go's text/template, and those that Docker adds. */
import { sprintf } from './printf.ts';
import { GoMap, isList, isTrue, printInner, toJson, typeName, type Method, type Value } from './value.ts';

/** A fault of one call; the evaluator adds where. */
export class CallFault extends Error {}

/** `and` and `or` look at their arguments one by one, so the evaluator has them; their names are known all the same. */
export const LAZY_FUNCTIONS: ReadonlySet<string> = new Set(['and', 'or']);

/** Name → least and most arguments, and what it does. */
const FUNCTIONS: Readonly<Record<string, readonly [least: number, most: number, call: Method]>> = {
  eq: [1, Infinity, ([first, ...rest]) => some(rest, (each) => equal(first, each))],
  ne: [2, 2, ([a, b]) => !equal(a, b)],
  lt: [2, 2, ([a, b]) => compare(a, b) < 0],
  le: [2, 2, ([a, b]) => compare(a, b) <= 0],
  gt: [2, 2, ([a, b]) => compare(a, b) > 0],
  ge: [2, 2, ([a, b]) => compare(a, b) >= 0],
  not: [1, 1, ([value]) => !isTrue(value)],
  len: [1, 1, ([value]) => length(value)],
  index: [1, Infinity, ([value, ...keys]) => keys.reduce<Value>(pick, value)],
  slice: [1, 3, ([value, from, to]) => cut(value, from, to)],
  print: [0, Infinity, spaced],
  println: [0, Infinity, (args) => `${args.map(printInner).join(' ')}\n`],
  printf: [1, Infinity, ([format, ...args]) => sprintf(text(format), args)],
  html: [0, Infinity, (args) => escapeHtml(spaced(args))],
  urlquery: [0, Infinity, (args) => encodeURIComponent(spaced(args)).replaceAll('%20', '+')],
  json: [1, 1, ([value]) => JSON.stringify(toJson(value))],
  join: [2, 2, ([list, separator]) => strings(list).join(text(separator))],
  split: [2, 2, ([value, separator]) => text(value).split(text(separator))],
  lower: [1, 1, ([value]) => text(value).toLowerCase()],
  upper: [1, 1, ([value]) => text(value).toUpperCase()],
  title: [
    1,
    1,
    ([value]) =>
      text(value).replace(
        /(^|[^\p{L}\p{N}_'])(\p{L})/gu,
        (_, before: string, letter: string) => before + letter.toUpperCase(),
      ),
  ],
  pad: [3, 3, ([value, before, after]) => (text(value) === '' ? '' : blanks(before) + text(value) + blanks(after))],
  truncate: [2, 2, ([value, columns]) => text(value).slice(0, whole(columns))],
};

export const FUNCTION_NAMES: ReadonlySet<string> = new Set([...Object.keys(FUNCTIONS), ...LAZY_FUNCTIONS]);

/** In the header of a table these leave their argument as it is. */
const HEADER_IDENTITIES = new Set(['json', 'join', 'split', 'lower', 'upper', 'title', 'pad', 'truncate']);

/** @throws CallFault when the arguments do not fit */
export function callFunction(name: string, args: readonly Value[], inHeader: boolean): Value {
  const [least, most, call] = FUNCTIONS[name] ?? [0, 0, () => undefined];
  if (args.length < least || args.length > most) {
    const want = most === least ? String(least) : `at least ${least}`;
    throw new CallFault(`wrong number of args for ${name}: want ${want} got ${args.length}`);
  }
  return inHeader && HEADER_IDENTITIES.has(name) ? args[0] : call(args);
}

function text(value: Value): string {
  if (typeof value === 'string') return value;
  throw new CallFault(`wrong type for value; expected string; got ${typeName(value)}`);
}

function whole(value: Value): number {
  if (typeof value === 'number' && Number.isInteger(value)) return Math.max(0, value);
  throw new CallFault(`wrong type for value; expected int; got ${typeName(value)}`);
}

function blanks(value: Value): string {
  return ' '.repeat(Math.min(whole(value), 10_000));
}

function strings(value: Value): string[] {
  if (isList(value)) return value.map(text);
  throw new CallFault(`wrong type for value; expected []string; got ${typeName(value)}`);
}

function some(values: readonly Value[], test: (value: Value) => boolean): boolean {
  if (values.length === 0) throw new CallFault('missing argument for comparison');
  return values.some(test);
}

/** Go compares basic values of one kind only. */
function equal(a: Value, b: Value): boolean {
  const nothing = (value: Value): boolean => value === undefined || value === null;
  if (nothing(a) || nothing(b)) return nothing(a) && nothing(b);
  if (typeof a === 'object' || typeof b === 'object')
    throw new CallFault(`non-comparable type ${typeName(typeof a === 'object' ? a : b)}`);
  if (typeof a !== typeof b) throw new CallFault('incompatible types for comparison');
  return a === b;
}

function compare(a: Value, b: Value): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  throw new CallFault(typeof a === typeof b ? 'invalid type for comparison' : 'incompatible types for comparison');
}

function length(value: Value): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (isList(value)) return value.length;
  if (value instanceof GoMap) return value.entries.size;
  throw new CallFault(`len of type ${typeName(value)}`);
}

function pick(value: Value, key: Value): Value {
  if (value instanceof GoMap) {
    return value.entries.has(text(key)) ? value.entries.get(text(key)) : value.zero;
  }
  if (isList(value)) {
    if (typeof key !== 'number') throw new CallFault(`cannot index slice/array with type ${typeName(key)}`);
    if (!(key in value)) throw new CallFault(`index out of range: ${key}`);
    return value[key];
  }
  if (typeof value === 'string') {
    const byte = typeof key === 'number' ? Buffer.from(value)[key] : undefined;
    if (byte === undefined) throw new CallFault(`index out of range: ${printInner(key)}`);
    return byte;
  }
  if (value === undefined || value === null) throw new CallFault('index of untyped nil');
  throw new CallFault(`can't index item of type ${typeName(value)}`);
}

function cut(value: Value, from: Value, to: Value): Value {
  if (typeof value !== 'string' && !isList(value)) throw new CallFault(`can't slice item of type ${typeName(value)}`);
  const start = from === undefined ? 0 : whole(from);
  const end = to === undefined ? value.length : whole(to);
  if (end > value.length) throw new CallFault(`index out of range: ${end}`);
  if (start > end) throw new CallFault(`invalid slice index: ${start} > ${end}`);
  return value.slice(start, end);
}

/** Go's `Sprint`: a blank between two values that are both no strings. */
function spaced(args: readonly Value[]): string {
  return args.reduce<string>((line, value, index) => {
    const blank = index > 0 && typeof value !== 'string' && typeof args[index - 1] !== 'string';
    return `${line}${blank ? ' ' : ''}${printInner(value)}`;
  }, '');
}

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };

function escapeHtml(value: string): string {
  return value.replace(/[&<>"']/g, (character) => HTML[character] ?? character);
}
