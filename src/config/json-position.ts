/**
 * Where a JSON text goes wrong. `JSON.parse` does not always say, and an administrator wants a line and a column. Used only
 * once parsing has failed, so it is written for the message, not for speed.
 */

export interface JsonFault {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
  readonly reason: string;
}

class Fault extends Error {
  readonly offset: number;
  constructor(offset: number, reason: string) {
    super(reason);
    this.offset = offset;
  }
}

const SPACE = /[ \t\r\n]*/y;
const LITERAL = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-])/y;
/** Control characters are not allowed in strings (RFC 8259, section 7). */
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /[^\s,:{}[\]]+/y;

/** The first fault of `text`; undefined when it is JSON. */
export function findJsonFault(text: string): JsonFault | undefined {
  try {
    scan(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const before = text.slice(0, error.offset).split('\n');
    return { line: before.length, column: (before.at(-1) ?? '').length + 1, reason: error.message };
  }
}

/** Walks the text with an explicit stack: a file of a million brackets must not end in a stack overflow. */
function scan(text: string): void {
  const open: ('{' | '[')[] = [];
  let at = 0;
  const match = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at += found[0].length;
    return found !== null;
  };
  const take = (character: string): boolean => {
    match(SPACE);
    if (text[at] !== character) return false;
    at += 1;
    return true;
  };
  const fail = (expected: string): never => {
    match(SPACE);
    const offset = at;
    if (offset >= text.length) throw new Fault(offset, `expected ${expected}, found the end of the file`);
    if (text[offset] === '"') {
      const what = match(STRING) ? 'a string' : 'a string that is not closed or has a bad escape';
      throw new Fault(offset, `expected ${expected}, found ${what}`);
    }
    const found = match(WORD) ? text.slice(offset, Math.min(at, offset + 20)) : (text[offset] ?? '');
    throw new Fault(offset, `expected ${expected}, found ${JSON.stringify(found)}`);
  };
  const key = (): void => {
    match(SPACE);
    if (!match(STRING)) fail('a key in double quotes');
    if (!take(':')) fail('":"');
  };
  /** After a complete value: closes what ends here; true when another value follows. */
  const another = (): boolean => {
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      if (take(',')) {
        if (top === '{') key();
        return true;
      }
      if (!take(top === '{' ? '}' : ']')) fail(top === '{' ? '"," or "}"' : '"," or "]"');
      open.pop();
    }
    return false;
  };

  do {
    // Opens containers until a plain value or an empty container is reached.
    for (;;) {
      if (take('{')) {
        if (take('}')) break;
        open.push('{');
        key();
      } else if (take('[')) {
        if (take(']')) break;
        open.push('[');
      } else if (match(STRING) || match(LITERAL)) {
        break;
      } else {
        fail('a value');
      }
    }
  } while (another());
  match(SPACE);
  if (at < text.length) fail('the end of the file');
}
