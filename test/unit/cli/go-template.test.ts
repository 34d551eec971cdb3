/** What `docker-formats.json` does not reach: scoping, whitespace, limits, and that nothing typed can crash the engine. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileTemplate } from '../../../src/cli/go-template/template.ts';
import { fromJson } from '../../../src/cli/go-template/value.ts';
import { TsnetError } from '../../../src/model/error.ts';

const DATA = fromJson({
  name: 'web',
  n: 3,
  list: ['a', 'b', 'c'],
  map: { y: 2, x: 1 },
  none: null,
  nested: [{ k: 'v' }],
});
const render = (template: string): string => compileTemplate(template).render(DATA);

describe('text/template', () => {
  test.each([
    ['{{range $k, $v := .map}}{{$k}}={{$v}} {{end}}', 'x=1 y=2 '],
    ['{{range .list}}{{.}}{{else}}none{{end}}', 'abc'],
    ['{{range .none}}{{.}}{{else}}none{{end}}', 'none'],
    ['{{range .list}}{{$.name}}{{end}}', 'webwebweb'],
    ['{{with .map}}{{.x}}{{$.n}}{{end}}', '13'],
    ['{{with .none}}x{{else with .name}}{{.}}{{end}}', 'web'],
    ['{{$x := 1}}{{range .list}}{{$x = .}}{{end}}{{$x}}', 'c'],
    ['{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}', '21'],
    ['{{range $i, $e := .list}}{{if $i}}, {{end}}{{$e}}{{end}}', 'a, b, c'],
    ['{{range $e := .list}}{{$e}}{{end}}', 'abc'],
    [' {{- "a" -}} \n b', 'ab'],
    ['a {{- /* comment */ -}} b', 'ab'],
    ['{{(index .nested 0).k}}', 'v'],
    ['{{index .map "x"}}{{index .map "zz"}}', '1<no value>'],
    ['{{index .list 1 | printf "%s-%s" "x"}}', 'x-b'],
    ['{{and true .none "never"}}', '<no value>'],
    ['{{or .none (and 1 "yes")}}', 'yes'],
    ['{{if and (eq .name "web") (gt .n 2)}}both{{end}}', 'both'],
    ['{{.none}} {{.missing}} {{.list}} {{.map}}', '<no value> <no value> [a b c] map[x:1 y:2]'],
    ['{{join .list ", "}} {{title "a b"}} {{len .map}} {{slice .list 1}}', 'a, b, c A B 2 [b c]'],
    ['{{json .}}', '{"list":["a","b","c"],"map":{"x":1,"y":2},"n":3,"name":"web","nested":[{"k":"v"}],"none":null}'],
    [
      '{{printf "%05d|%-4d|%+d|%x|%q|%v|%t|%%|%6.2f" 42 7 5 255 "a" .list true 2.5}}',
      '00042|7   |+5|ff|"a"|[a b c]|true|%|  2.50',
    ],
    ['{{"\\u00e9\\x41\\101\\n"}}', 'éAA\n'],
    ['{{range $i, $e := .list}}{{if eq $i 1}}{{continue}}{{end}}{{range $.list}}{{break}}{{end}}{{$e}}{{end}}', 'ac'],
  ])('%s', (template, text) => {
    expect(render(template)).toBe(text);
  });

  test.each([
    ['{{.name.x}}', `template: :1:7: executing "" at <.name.x>: can't evaluate field x in type string`],
    [
      'line\n  {{index .list 9}}',
      'template: :2:4: executing "" at <index .list 9>: error calling index: index out of range: 9',
    ],
    ['{{.none.x}}', 'template: :1:7: executing "" at <.none.x>: nil data; no entry for key "x"'],
    ['{{range $i}}{{end}}', 'template: :1: undefined variable "$i"'],
    ['{{if true}}{{else}}{{else}}{{end}}', 'template: :1: expected end; found {{else}}'],
    ['{{"a" | print | }}', 'template: :1: missing value for command'],
    ['{{(print 1}}', 'template: :1: unexpected "}}" in parenthesized pipeline'],
  ])('%j fails as Go does', (template, message) => {
    expect(() => render(template)).toThrow(message);
  });

  test('naming a missing key is an error where that is asked for', () => {
    expect(() => compileTemplate('{{.missing}}').render(DATA, { missingKeyIsError: true })).toThrow(
      'map has no entry for key "missing"',
    );
  });

  test('keys of the prototype are no fields', () => {
    expect(render('{{.constructor}}{{.__proto__}}{{index .map "toString"}}')).toBe('<no value>'.repeat(3));
  });
});

describe('nothing typed crashes it', () => {
  const piece = fc.constantFrom(
    ...[
      '{{',
      '}}',
      '{{-',
      '-}}',
      '.',
      '.name',
      '.list',
      '$',
      '$x',
      ':=',
      '=',
      '|',
      '(',
      ')',
      ',',
      ' ',
      '"',
      '`',
      "'",
      '\\',
      '/*',
      '*/',
    ],
    ...[
      'range',
      'if',
      'else',
      'end',
      'with',
      'break',
      'continue',
      'index',
      'len',
      'printf',
      'json',
      'eq',
      'and',
      'slice',
      '"%d%v%*d"',
      '-1',
      '9e9',
      'nil',
      'true',
      '\n',
    ],
  );
  test('templates of any text end in text or in one INVALID error', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece).map((pieces) => pieces.join('')),
          fc.string(),
        ),
        (template) => {
          try {
            expect(typeof render(template)).toBe('string');
          } catch (error) {
            expect(error).toBeInstanceOf(TsnetError);
            expect((error as TsnetError).code).toBe('INVALID');
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  test.each([
    ['parentheses', `{{${'('.repeat(50_000)}1${')'.repeat(50_000)}}}`],
    ['blocks', `${'{{if true}}'.repeat(50_000)}${'{{end}}'.repeat(50_000)}`],
    ['else if', `{{if false}}${'{{else if false}}'.repeat(50_000)}{{end}}`],
    ['output', '{{range 100000}}{{range 100000}}xxxxxxxxxx{{end}}{{end}}'],
    ['a count', '{{range 9000000000000000}}{{break}}{{end}}'],
    ['columns', '{{printf "%99999999999d" 1 | len}}{{pad "x" 9000000000000000 1 | len}}'],
  ])('nor does too much of it: %s', (_, template) => {
    try {
      render(template);
    } catch (error) {
      expect(error).toBeInstanceOf(TsnetError);
    }
  });
});
