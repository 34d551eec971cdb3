/** The functions that templates may call: those of Go's text/template, and those that Docker adds. */
import { sprintf } from './printf.ts';
import { GoMap, isList, isTrue, printInner, toJson, typeName, type Method, type Value } from './value.ts';

/** A fault of one call; the evaluator adds where. `argument` is the index of the one to blame. */
export class CallFault extends Error {
  readonly argument: number | undefined;

  constructor(reason: string, argument?: number) {
    super(reason);
    this.argument = argument;
  }
}

/** `and` and `or` look at their arguments one by one, so the evaluator has them; their names are known all the same. */
export const LAZY_FUNCTIONS: ReadonlySet<string> = new Set(['and', 'or']);

type Parameter = 'any' | 'string' | '[]string' | 'int';

interface GoFunction {
  readonly takes: readonly Parameter[];
  /** How many of them may be left out, and whether more may follow. */
  readonly optional?: number;
  readonly variadic?: true;
  readonly call: Method;
}

const ANY: readonly Parameter[] = ['any'];
const PAIR: readonly Parameter[] = ['any', 'any'];

const FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  eq: { takes: ANY, variadic: true, call: ([first, ...rest]) => some(rest, (each) => equal(first, each)) },
  ne: { takes: PAIR, call: ([a, b]) => !equal(a, b) },
  lt: { takes: PAIR, call: ([a, b]) => compare(a, b) < 0 },
  le: { takes: PAIR, call: ([a, b]) => compare(a, b) <= 0 },
  gt: { takes: PAIR, call: ([a, b]) => compare(a, b) > 0 },
  ge: { takes: PAIR, call: ([a, b]) => compare(a, b) >= 0 },
  not: { takes: ANY, call: ([value]) => !isTrue(value) },
  len: { takes: ANY, call: ([value]) => length(value) },
  index: { takes: ANY, variadic: true, call: ([value, ...keys]) => keys.reduce<Value>(pick, value) },
  slice: { takes: ['any', 'int', 'int'], optional: 2, call: ([value, from, to]) => cut(value, from, to) },
  print: { takes: [], variadic: true, call: spaced },
  println: { takes: [], variadic: true, call: (args) => `${args.map(printInner).join(' ')}\n` },
  printf: { takes: ['string'], variadic: true, call: ([format, ...args]) => sprintf(text(format), args) },
  html: { takes: [], variadic: true, call: (args) => escapeHtml(spaced(args)) },
  urlquery: { takes: [], variadic: true, call: (args) => encodeURIComponent(spaced(args)).replaceAll('%20', '+') },
  json: { takes: ANY, call: ([value]) => JSON.stringify(toJson(value)) },
  join: { takes: ['[]string', 'string'], call: ([list, separator]) => strings(list).join(text(separator)) },
  split: { takes: ['string', 'string'], call: ([value, separator]) => text(value).split(text(separator)) },
  lower: { takes: ['string'], call: ([value]) => text(value).toLowerCase() },
  upper: { takes: ['string'], call: ([value]) => text(value).toUpperCase() },
  title: { takes: ['string'], call: ([value]) => titleCase(text(value)) },
  pad: {
    takes: ['string', 'int', 'int'],
    call: ([value, before, after]) => (text(value) === '' ? '' : blanks(before) + text(value) + blanks(after)),
  },
  truncate: { takes: ['string', 'int'], call: ([value, columns]) => text(value).slice(0, whole(columns)) },
};

export const FUNCTION_NAMES: ReadonlySet<string> = new Set([...Object.keys(FUNCTIONS), ...LAZY_FUNCTIONS]);

/** In the header of a table these leave their argument as it is. */
const HEADER_IDENTITIES = new Set(['json', 'join', 'split', 'lower', 'upper', 'title', 'pad', 'truncate']);

/** @throws CallFault when the arguments do not fit */
export function callFunction(name: string, args: readonly Value[], inHeader: boolean): Value {
  const known = FUNCTIONS[name];
  if (known === undefined) throw new CallFault(`function "${name}" not defined`);
  const { takes, optional = 0, variadic = false, call } = known;
  if (args.length < takes.length - optional || (!variadic && args.length > takes.length)) {
    const want = variadic || optional > 0 ? `at least ${takes.length - optional}` : String(takes.length);
    throw new CallFault(`wrong number of args for ${name}: want ${want} got ${args.length}`);
  }
  if (inHeader && HEADER_IDENTITIES.has(name)) return args[0];
  for (const [index, parameter] of takes.entries()) {
    if (index < args.length) checkType(args[index], parameter, index);
  }
  try {
    return call(args);
  } catch (error) {
    if (error instanceof CallFault) throw new CallFault(`error calling ${name}: ${error.message}`);
    throw error;
  }
}

function checkType(value: Value, parameter: Parameter, argument: number): void {
  const fits = {
    any: true,
    string: typeof value === 'string',
    int: typeof value === 'number' && Number.isInteger(value),
    '[]string': isList(value) && value.every((each) => typeof each === 'string'),
  }[parameter];
  if (!fits) throw new CallFault(`wrong type for value; expected ${parameter}; got ${typeName(value)}`, argument);
}

function text(value: Value): string {
  if (typeof value === 'string') return value;
  throw new CallFault(`expected string; got ${typeName(value)}`);
}

function whole(value: Value): number {
  return typeof value === 'number' ? Math.max(0, value) : 0;
}

function strings(value: Value): string[] {
  return isList(value) ? value.map(text) : [];
}

function titleCase(value: string): string {
  return value.replace(
    /(^|[^\p{L}\p{N}_'])(\p{L})/gu,
    (_, before: string, letter: string) => before + letter.toUpperCase(),
  );
}

function blanks(value: Value): string {
  return ' '.repeat(Math.min(whole(value), 10_000));
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
