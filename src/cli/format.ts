/**
 * `--format` of the verbs that print lists: `table`, `table TEMPLATE`, `json`, or a Go template, as `docker … ls` has them.
 */
import { TsnetError } from '../model/error.ts';
import { compileTemplate, type Template } from './go-template/template.ts';
import { CallFault } from './go-template/functions.ts';
import { GoStruct, stringMap, typeName, type Method, type Value } from './go-template/value.ts';
import { alignTabs, renderTable } from './table.ts';

/** How the rows of one verb are shown. */
export interface ListLayout<Row> {
  /** Name in Go templates of the row's type, for error messages. */
  readonly typeName: string;
  /** Column of templates and JSON → its heading and the row's text, in the alphabetical order that JSON gets. */
  readonly fields: Readonly<Record<string, { readonly heading: string; readonly text: (row: Row) => string }>>;
  /** Fields of the plain table. */
  readonly columns: readonly string[];
  /** `{{.Label "key"}}` and the like: the row's text, and the heading. */
  readonly methods?: Readonly<
    Record<string, { readonly text: (row: Row, key: string) => string; readonly heading: (key: string) => string }>
  >;
}

/** Renders the rows, each line ended. @throws TsnetError INVALID for a bad template */
export function renderList<Row>(layout: ListLayout<Row>, rows: readonly Row[], format: string): string {
  // Blanks only: the line break at the end of a template is meant.
  const trimmed = format.replace(/^ +| +$/g, '');
  if (trimmed === '' || trimmed === 'table') {
    const header = layout.columns.map((name) => layout.fields[name]?.heading ?? name);
    return renderTable(
      header,
      rows.map((row) => layout.columns.map((name) => layout.fields[name]?.text(row) ?? '')),
    );
  }
  if (trimmed === 'json') return rows.map((row) => `${JSON.stringify(rowFields(layout, row))}\n`).join('');
  const asTable = /^table(?=\s)/.test(trimmed);
  const template = compileListTemplate(asTable ? trimmed.slice('table'.length).trim() : trimmed);
  const lines = rows.map((row) => `${template.render(rowValue(layout, row))}\n`).join('');
  return asTable ? alignTabs(`${template.render(headerValue(layout), { inHeader: true })}\n${lines}`) : lines;
}

/** A template of a list: a typed `\t` or `\n` means the character. */
function compileListTemplate(text: string): Template {
  return explained(() => {
    const template = compileTemplate(text.replaceAll('\\t', '\t').replaceAll('\\n', '\n'));
    return { render: (value, how) => explained(() => template.render(value, how)) };
  });
}

/** Faults of templates in Docker's words. */
export function explained<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof TsnetError)) throw error;
    throw new TsnetError(error.code, `template parsing error: ${error.message}`, { cause: error });
  }
}

function rowFields<Row>(layout: ListLayout<Row>, row: Row): Record<string, string> {
  return Object.fromEntries(Object.entries(layout.fields).map(([name, { text }]) => [name, text(row)]));
}

function rowValue<Row>(layout: ListLayout<Row>, row: Row): Value {
  const fields = rowFields(layout, row);
  const methods = Object.entries(layout.methods ?? {}).map(([name, { text }]): [string, Method] => [
    name,
    (args) => text(row, keyOf(name, args)),
  ]);
  return new GoStruct({ typeName: layout.typeName, fields, methods: Object.fromEntries(methods), json: fields });
}

function headerValue<Row>(layout: ListLayout<Row>): Value {
  const headings = Object.fromEntries(Object.entries(layout.fields).map(([name, { heading }]) => [name, heading]));
  const methods = Object.entries(layout.methods ?? {}).map(([name, { heading }]): [string, Method] => [
    name,
    (args) => heading(keyOf(name, args)),
  ]);
  if (methods.length === 0) return stringMap(headings);
  return new GoStruct({ typeName: 'header', fields: headings, methods: Object.fromEntries(methods), json: headings });
}

function keyOf(method: string, args: readonly Value[]): string {
  const [key] = args;
  if (args.length !== 1) throw new CallFault(`wrong number of args for ${method}: want 1 got ${args.length}`);
  if (typeof key !== 'string') throw new CallFault(`wrong type for value; expected string; got ${typeName(key)}`);
  return key;
}
