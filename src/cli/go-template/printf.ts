/** Go's `fmt.Sprintf` for the verbs and flags that templates use. */
import { GoStruct, isList, printInner, toJson, typeName, type Value } from './value.ts';

const VERB = /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?([^])|%$/gu;
/** Wider columns than this are a mistake in the template, not a wish. */
const MAX_WIDTH = 10_000;

export function sprintf(format: string, args: readonly Value[]): string {
  let used = 0;
  const take = (): Value => args[used++];
  const text = format.replace(
    VERB,
    (
      whole: string,
      flags: string | undefined,
      width: string | undefined,
      precision: string | undefined,
      verb: string | undefined,
    ) => {
      if (verb === undefined) return '%!(NOVERB)';
      if (verb === '%') return '%';
      const columns = number(width, take);
      const digits = /\./.test(whole) && verb !== '.' ? number(precision ?? '0', take) : undefined;
      if (used >= args.length) return `%!${verb}(MISSING)`;
      return pad(formatValue(verb, take(), digits, flags ?? ''), columns ?? 0, flags ?? '', verb);
    },
  );
  if (used >= args.length) return text;
  const extra = args.slice(used).map((each) => `${typeName(each)}=${printInner(each)}`);
  return `${text}%!(EXTRA ${extra.join(', ')})`;
}

function number(text: string | undefined, take: () => Value): number | undefined {
  if (text === undefined) return undefined;
  const value = text === '*' ? Number(take()) : Number(text);
  return Number.isFinite(value) ? Math.min(value, MAX_WIDTH) : 0;
}

function formatValue(verb: string, value: Value, digits: number | undefined, flags: string): string {
  if (isList(value) && verb !== 'v' && verb !== 's') {
    return `[${value.map((each) => formatValue(verb, each, digits, flags)).join(' ')}]`;
  }
  const bad = `%!${verb}(${value === undefined || value === null ? '<nil>' : `${typeName(value)}=${printInner(value)}`})`;
  switch (verb) {
    case 'v':
      if (flags.includes('#') && typeof value === 'string') return JSON.stringify(value);
      if (value instanceof GoStruct && flags.includes('#')) return JSON.stringify(toJson(value));
      return printInner(value);
    case 's':
      if (typeof value === 'number' || typeof value === 'boolean' || value === undefined || value === null)
        return bad.replace('<nil>', '<nil>');
      return digits === undefined ? printInner(value) : Array.from(printInner(value)).slice(0, digits).join('');
    case 'q':
      return typeof value === 'string' ? JSON.stringify(value) : bad;
    case 'd':
      return typeof value === 'number' && Number.isInteger(value) ? signed(value, String(Math.abs(value)), flags) : bad;
    case 'x':
    case 'X': {
      const hex =
        typeof value === 'string'
          ? Buffer.from(value).toString('hex')
          : typeof value === 'number' && Number.isInteger(value)
            ? signed(value, Math.abs(value).toString(16), flags)
            : undefined;
      if (hex === undefined) return bad;
      return verb === 'X' ? hex.toUpperCase() : hex;
    }
    case 'f':
      return typeof value === 'number'
        ? signed(value, Math.abs(value).toFixed(Math.min(digits ?? 6, 100)), flags)
        : bad;
    case 't':
      return typeof value === 'boolean' ? String(value) : bad;
    case 'T':
      return typeName(value);
    default:
      return bad;
  }
}

function signed(value: number, digits: string, flags: string): string {
  return `${value < 0 ? '-' : flags.includes('+') ? '+' : ''}${digits}`;
}

function pad(text: string, columns: number, flags: string, verb: string): string {
  const missing = Math.abs(columns) - Array.from(text).length;
  if (missing <= 0) return text;
  if (flags.includes('-') || columns < 0) return text + ' '.repeat(missing);
  if (!flags.includes('0') || !'dxXf'.includes(verb)) return ' '.repeat(missing) + text;
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}
