/** Go's constants: what a quoted string, a character or a number stands for. */

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

/** The value of a literal; undefined when Go would not take it. */
export function unquote(source: string): string | number | undefined {
  if (source.startsWith('`')) return source.slice(1, -1).replaceAll('\r', '');
  if (source.startsWith('"')) return unescape(source.slice(1, -1));
  if (source.startsWith("'")) return unescape(source.slice(1, -1))?.codePointAt(0);
  const value = Number(source.replaceAll('_', '').replace(/^\+/, ''));
  return Number.isNaN(value) ? undefined : value;
}

const ESCAPE =
  /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U(0010[0-9a-fA-F]{4}|000[0-9a-fA-F]{5})|([0-7]{3})|(["'\\abfnrtv]))/g;

function unescape(text: string): string | undefined {
  if (text.replace(ESCAPE, '').includes('\\')) return undefined;
  return text.replace(ESCAPE, (_, ...groups: (string | undefined)[]) => {
    const [x, u, long, octal, letter] = groups;
    if (letter !== undefined) return ESCAPES[letter] ?? '';
    return String.fromCodePoint(octal === undefined ? parseInt(x ?? u ?? long ?? '0', 16) : parseInt(octal, 8));
  });
}
