/** Turns the tokens of a Go template into its tree (text/template/parse/parse.go). */
import type { TsnetError } from '../../model/error.ts';
import { lex, parseFault, type Token, type TokenKind } from './lexer.ts';
import { unquote } from './literal.ts';
import type { Command, Node, Operand, Pipeline, Term } from './tree.ts';

/** @throws TsnetError INVALID, in the words of Go: "template: :1: function \"foo\" not defined" */
export function parseTemplate(template: string, knownFunctions: ReadonlySet<string>): readonly Node[] {
  const tokens = lex(template);
  let position = 0;
  /** Variables in scope, innermost last. */
  const variables = ['$'];
  let rangeDepth = 0;
  let depth = 0;

  const peek = (): Token => tokens[position] ?? END;
  const next = (): Token => tokens[position++] ?? END;
  const skipSpace = (): void => {
    while (peek().kind === 'space') position++;
  };
  const accept = (kind: TokenKind): Token | undefined => (peek().kind === kind ? next() : undefined);
  const fault = (reason: string, token = peek()): TsnetError => parseFault(template, token.at, reason);
  const unexpected = (context: string): TsnetError => {
    const token = peek();
    if (token.kind === 'end') return fault(`unexpected EOF`);
    return fault(`unexpected ${token.kind === 'close' ? '"}}"' : `<${token.source}>`} in ${context}`);
  };

  /** Nodes up to `{{end}}`, `{{else…}}` or the end of the template. */
  function parseList(inside: boolean): { nodes: Node[]; stop: 'end' | 'else' | 'eof' } {
    const nodes: Node[] = [];
    for (;;) {
      const token = next();
      if (token.kind === 'end') {
        if (inside) throw fault('unexpected EOF', token);
        return { nodes, stop: 'eof' };
      }
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.source });
        continue;
      }
      skipSpace();
      const word = peek().kind === 'identifier' ? peek().source : '';
      if (word === 'end' || word === 'else') {
        if (!inside) throw fault(`unexpected {{${word}}}`);
        next();
        skipSpace();
        if (word === 'end') expectClose('end');
        return { nodes, stop: word };
      }
      nodes.push(parseAction(word));
    }
  }

  function parseAction(word: string): Node {
    if (word === 'if' || word === 'with' || word === 'range') return parseBlock(word);
    if (word === 'break' || word === 'continue') {
      if (rangeDepth === 0) throw fault(`{{${word}}} outside {{range}}`);
      next();
      skipSpace();
      expectClose(`{{${word}}}`);
      return { kind: word };
    }
    if (word === 'define' || word === 'template' || word === 'block') throw fault(`{{${word}}} is not supported`);
    const pipeline = parsePipeline('command', 'close');
    expectClose('command');
    return { kind: 'action', pipeline };
  }

  function parseBlock(kind: 'if' | 'with' | 'range'): Node {
    if (++depth > MAX_DEPTH) throw fault('nested too deeply');
    const scope = variables.length;
    next();
    skipSpace();
    const pipeline = parsePipeline(kind, 'close');
    expectClose(kind);
    if (kind === 'range') rangeDepth++;
    const { nodes: body, stop } = parseList(true);
    if (kind === 'range') rangeDepth--;
    let otherwise: readonly Node[] = [];
    if (stop === 'else') {
      // `{{else if …}}` and `{{else with …}}` nest, and share the one {{end}}.
      if (peek().source === kind && kind !== 'range') {
        otherwise = [parseBlock(kind)];
      } else {
        expectClose('else');
        const rest = parseList(true);
        if (rest.stop === 'else') throw fault('expected end; found {{else}}');
        otherwise = rest.nodes;
      }
    }
    variables.length = scope;
    depth--;
    return { kind, pipeline, body, otherwise };
  }

  function expectClose(context: string): void {
    skipSpace();
    if (accept('close') === undefined) throw unexpected(context);
  }

  function parsePipeline(context: string, end: 'close' | ')'): Pipeline {
    if (++depth > MAX_DEPTH) throw fault('nested too deeply');
    const start = position;
    const { names, declares } = parseDeclaration(context);
    const commands: Command[] = [];
    for (;;) {
      skipSpace();
      if (peek().kind === end) break;
      commands.push(parseCommand(context));
      skipSpace();
      if (accept('pipe') === undefined) {
        if (peek().kind !== end) throw unexpected(context);
        break;
      }
      skipSpace();
      if (peek().kind === end) throw fault(`missing value for ${context}`);
    }
    if (commands.length === 0) throw fault(`missing value for ${context}`);
    for (const { operands } of commands.slice(1)) {
      const [{ kind, at }] = operands;
      if (kind === 'constant' || kind === 'dot') {
        throw parseFault(template, at, 'non executable command in pipeline stage 2');
      }
    }
    depth--;
    return { ...placed(start), variables: names, declares, commands };
  }

  function parseDeclaration(context: string): { names: string[]; declares: boolean } {
    const start = position;
    const names: string[] = [];
    for (;;) {
      skipSpace();
      const variable = accept('variable');
      if (variable === undefined) break;
      skipSpace();
      const operator = accept('declare') ?? accept('assign') ?? (context === 'range' ? accept('comma') : undefined);
      if (operator === undefined) break;
      if (operator.kind !== 'declare' && !variables.includes(variable.source) && operator.kind === 'assign') {
        throw fault(`undefined variable "${variable.source}"`, variable);
      }
      names.push(variable.source);
      if (operator.kind === 'comma') {
        if (names.length > 1) throw fault('too many declarations in range', variable);
        continue;
      }
      const declares = operator.kind === 'declare';
      if (declares) variables.push(...names);
      return { names, declares };
    }
    position = start;
    return { names: [], declares: false };
  }

  function parseCommand(context: string): Command {
    const start = position;
    const first = parseOperand(context);
    const operands: [Operand, ...Operand[]] = [first];
    while (peek().kind === 'space') {
      skipSpace();
      if (['pipe', 'close', ')'].includes(peek().kind)) break;
      operands.push(parseOperand(context));
    }
    return { ...placed(start), operands };
  }

  /** One operand and the fields picked from it. */
  function parseOperand(context: string): Operand {
    const start = position;
    const base = parseTerm(context);
    const fields: string[] = [];
    let lastAt = 0;
    for (let field = accept('field'); field !== undefined; field = accept('field')) {
      fields.push(field.source.slice(1));
      lastAt = field.at;
    }
    if (fields.length === 0) return base;
    // Go blames a chain at its last field.
    const place = { ...placed(start), at: lastAt };
    if (base.kind === 'field') return { ...place, kind: 'field', fields: [...base.fields, ...fields] };
    if (base.kind === 'variable') return { ...place, kind: 'variable', name: base.name, fields };
    if (base.kind === 'constant') throw fault(`unexpected . after term ${JSON.stringify(base.source)}`);
    return { ...place, kind: 'chain', base, fields };
  }

  function parseTerm(context: string): Operand {
    const token = peek();
    const { kind, source } = token;
    const place = { at: token.at, source };
    if (kind === '(') {
      const start = position;
      next();
      const pipeline = parsePipeline('parenthesized pipeline', ')');
      next();
      return { ...placed(start), kind: 'pipeline', pipeline };
    }
    if (kind === 'variable' && !variables.includes(source)) throw fault(`undefined variable "${source}"`);
    const term = termOf(token);
    if (term === undefined) throw unexpected(context === 'command' ? 'command' : 'operand');
    next();
    return { ...place, ...term };
  }

  /** A term of one token. */
  function termOf(token: Token): Term | undefined {
    const { kind, source } = token;
    if (kind === 'dot') return { kind };
    if (kind === 'field') return { kind, fields: [source.slice(1)] };
    if (kind === 'variable') return { kind, name: source, fields: [] };
    if (kind === 'string' || kind === 'number') {
      const value = unquote(source);
      if (value === undefined) throw fault(`bad ${kind} syntax: ${source}`, token);
      return { kind: 'constant', value };
    }
    if (kind !== 'identifier') return undefined;
    if (source === 'true' || source === 'false') return { kind: 'constant', value: source === 'true' };
    if (source === 'nil') return { kind: 'constant', value: null };
    if (!knownFunctions.has(source)) throw fault(`function "${source}" not defined`, token);
    return { kind: 'function', name: source };
  }

  /** From the token at `start` to the last one taken. */
  function placed(start: number): { at: number; source: string } {
    const at = tokens[start]?.at ?? 0;
    const last = tokens[position - 1];
    return { at, source: template.slice(at, last === undefined ? at : last.at + last.source.length).trim() };
  }

  return parseList(false).nodes;
}

/** Deep enough for any person, shallow enough for the stack. */
const MAX_DEPTH = 200;
const END: Token = { kind: 'end', source: '', at: 0 };
