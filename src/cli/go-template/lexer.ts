/**
 * Splits a Go template into text and the tokens of its actions (text/template/parse/lex.go). Trim markers and comments are
 * dealt with here, so that the parser never sees them.
 */
import { TsnetError } from '../../model/error.ts';

export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'field'
  | 'variable'
  | 'identifier'
  | 'dot'
  | 'string'
  | 'number'
  | 'pipe'
  | 'declare'
  | 'assign'
  | 'comma'
  | '('
  | ')'
  | 'space'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** As it stands in the template; of text, trimmed. */
  readonly source: string;
  /** Offset in the template. */
  readonly at: number;
}

/** A template that cannot be parsed. Docker's words: "template: :1: unclosed action". */
export function parseFault(template: string, at: number, reason: string): TsnetError {
  const line = template.slice(0, at).split('\n').length;
  return new TsnetError('INVALID', `template: :${line}: ${reason}`);
}

/** Made when a template is read, not when this file is: working out what \p{L} means costs every start a millisecond. */
const rules = (): readonly (readonly [TokenKind, RegExp])[] => [
  ['space', /[ \t\r\n]+/y],
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  [
    'number',
    /[+-]?(?:0[xX][0-9a-fA-F_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?![\p{L}\p{N}_])|'(?:[^'\\\n]|\\.)'/uy,
  ],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['dot', /\.(?![\p{L}\p{N}_])/uy],
  ['variable', /\$(?:[\p{L}\p{N}_]*)/uy],
  ['identifier', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['declare', /:=/y],
  ['assign', /=/y],
  ['comma', /,/y],
  ['pipe', /\|/y],
  ['(', /\(/y],
  [')', /\)/y],
];

/** `{{`, an optional trim marker, an optional comment that must fill the action. */
const OPEN = /\{\{(-(?=[ \t\r\n]))?/y;
const COMMENT = /[ \t\r\n]*\/\*[^]*?\*\/([ \t\r\n]+-)?\}\}/y;
const CLOSE = /(?:[ \t\r\n]+(-))?\}\}/y;

export function lex(template: string): Token[] {
  const tokens: Token[] = [];
  const known = rules();
  let at = 0;
  let trimNext = false;
  const match = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(template) ?? undefined;
    if (found !== undefined) at += found[0].length;
    return found;
  };

  while (at < template.length) {
    const start = at;
    const brace = template.indexOf('{{', at);
    at = brace === -1 ? template.length : brace;
    let text = template.slice(start, at);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, '');
    trimNext = false;

    const openAt = at;
    const open = match(OPEN);
    if (open?.[1] !== undefined) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') tokens.push({ kind: 'text', source: text, at: start });
    if (open === undefined) break;

    const comment = match(COMMENT);
    if (comment !== undefined) {
      trimNext = comment[1] !== undefined;
      continue;
    }
    tokens.push({ kind: 'open', source: '{{', at: openAt });
    trimNext = lexAction(template, openAt);
  }
  tokens.push({ kind: 'end', source: '', at: template.length });
  return tokens;

  /** Reads up to and with the closing braces; whether they trim what follows. */
  function lexAction(whole: string, openAt: number): boolean {
    for (;;) {
      const closeAt = at;
      const close = match(CLOSE);
      if (close !== undefined) {
        tokens.push({ kind: 'close', source: '}}', at: closeAt });
        return close[1] !== undefined;
      }
      if (at >= whole.length) throw parseFault(whole, openAt, 'unclosed action');
      const tokenAt = at;
      const rule = known.find(([, pattern]) => match(pattern) !== undefined);
      if (rule === undefined) throw parseFault(whole, at, badCharacter(whole, at));
      tokens.push({ kind: rule[0], source: whole.slice(tokenAt, at), at: tokenAt });
    }
  }
}

function badCharacter(template: string, at: number): string {
  const character = String.fromCodePoint(template.codePointAt(at) ?? 0);
  if (character === '"') return 'unterminated quoted string';
  if (character === '`') return 'unterminated raw quoted string';
  if (character === "'") return 'unterminated character constant';
  if (/[\d+-]/.test(character))
    return `bad number syntax: ${JSON.stringify(/\S+?(?=\}\}|\s|$)/y.exec(template.slice(at))?.[0] ?? character)}`;
  return `unexpected ${JSON.stringify(character)} in operand`;
}
