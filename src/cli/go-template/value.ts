/** The values that a Go template sees, and how Go prints and judges them. */

/** `undefined` is Go's "no value": a missing map entry. */
export type Value = string | number | boolean | null | undefined | readonly Value[] | GoMap | GoStruct;

/** A map with string keys; `zero` is what `index` gives for a missing key (the zero value of Go's element type). */
export class GoMap {
  readonly entries: ReadonlyMap<string, Value>;
  readonly zero: Value;
  /** Go's name of the type, for messages. */
  readonly typeName: string;

  constructor(entries: Iterable<readonly [string, Value]>, zero: Value, typeName: string) {
    this.entries = new Map([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
    this.zero = zero;
    this.typeName = typeName;
  }
}

export type Method = (args: readonly Value[]) => Value;

/** A struct: fixed fields, and methods that take arguments. Naming another field is an error, as in Go. */
export class GoStruct {
  readonly typeName: string;
  readonly fields: Readonly<Record<string, Value>>;
  readonly methods: Readonly<Record<string, Method>>;
  /** What `json` prints for it. */
  readonly json: unknown;
  /** How it prints when it has words of its own (Go's Stringer); else its fields in braces. */
  readonly text: string | undefined;

  constructor(options: {
    readonly typeName: string;
    readonly fields: Readonly<Record<string, Value>>;
    readonly methods?: Readonly<Record<string, Method>>;
    readonly json: unknown;
    readonly text?: string;
  }) {
    this.typeName = options.typeName;
    this.fields = options.fields;
    this.methods = options.methods ?? {};
    this.json = options.json;
    this.text = options.text;
  }
}

/** A `map[string]string`, as labels and options are. */
export function stringMap(entries: Readonly<Record<string, string>>): GoMap {
  return new GoMap(Object.entries(entries), '', 'map[string]string');
}

/** Decoded JSON as Go's `interface{}` values: objects are maps whose missing keys are errors or no value. */
export function fromJson(json: unknown): Value {
  if (Array.isArray(json)) return json.map(fromJson);
  if (typeof json === 'object' && json !== null) {
    const entries = Object.entries(json).map(([key, value]): [string, Value] => [key, fromJson(value)]);
    return new GoMap(entries, undefined, 'map[string]interface {}');
  }
  if (typeof json === 'string' || typeof json === 'number' || typeof json === 'boolean') return json;
  return null;
}

/** The plain JSON of a value, map keys sorted as Go's encoder does. */
export function toJson(value: Value): unknown {
  if (value instanceof GoStruct) return value.json;
  if (value instanceof GoMap) return Object.fromEntries([...value.entries].map(([key, each]) => [key, toJson(each)]));
  if (isList(value)) return value.map(toJson);
  return value ?? null;
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

/** Go's `%v`. At the top of an action a missing value is "<no value>", inside of others "<nil>". */
export function print(value: Value): string {
  if (value === undefined || value === null) return '<no value>';
  return printInner(value);
}

export function printInner(value: Value): string {
  if (value === undefined || value === null) return '<nil>';
  if (isList(value)) return `[${value.map(printInner).join(' ')}]`;
  if (value instanceof GoMap) {
    return `map[${[...value.entries].map(([key, each]) => `${key}:${printInner(each)}`).join(' ')}]`;
  }
  if (value instanceof GoStruct) return value.text ?? `{${Object.values(value.fields).map(printInner).join(' ')}}`;
  return String(value);
}

/** Whether `if`, `and`, `or` and `not` take the value for true. */
export function isTrue(value: Value): boolean {
  if (value === undefined || value === null) return false;
  if (isList(value)) return value.length > 0;
  if (value instanceof GoMap) return value.entries.size > 0;
  if (value instanceof GoStruct) return true;
  return value !== '' && value !== 0 && value !== false;
}

/** Go's name of a value's type, for messages. */
export function typeName(value: Value): string {
  if (value === undefined || value === null) return 'nil';
  if (isList(value)) return '[]interface {}';
  if (value instanceof GoMap || value instanceof GoStruct) return value.typeName;
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  return typeof value === 'boolean' ? 'bool' : 'string';
}
