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

function unescape(text: string): string | undefined {
  let valid = true;
  const plain = text.replace(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gsu,
    (
      _,
      x: string | undefined,
      u: string | undefined,
      long: string | undefined,
      octal: string | undefined,
      one: string | undefined,
    ) => {
      const hex = x ?? u ?? long;
      const code = hex === undefined ? parseInt(octal ?? '', 8) : parseInt(hex, 16);
      if (one === undefined && code <= 0x10ffff) return String.fromCodePoint(code);
      const escaped = ESCAPES[one ?? ''];
      if (escaped === undefined) valid = false;
      return escaped ?? '';
    },
  );
  return valid ? plain : undefined;
}
