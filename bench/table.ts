/** The one table that `make bench` prints. */
import { median, ratio, usual, type Promised, type Row, type SkippedRow } from './group.ts';

/** What became of one group. */
export type Result =
  | { readonly group: string; readonly seconds: number; readonly rows: readonly (Row | SkippedRow)[] }
  | { readonly group: string; readonly seconds: number; readonly skipped: string }
  | { readonly group: string; readonly seconds: number; readonly failed: string };

const HEAD = ['', 'median', 'p95', 'unit', 'compared with', 'median', 'p95', 'ratio', 'promised'] as const;
const NUMBERS = new Set([1, 2, 5, 6, 7]);

function number(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  return value < 1 ? value.toFixed(3) : value < 100 ? value.toFixed(2) : value.toFixed(1);
}

/** Undefined where nothing is promised. */
export function kept(row: Row): boolean | undefined {
  const { promise } = row;
  if (promise === undefined) return undefined;
  if ('atMost' in promise) return ratio(row) <= promise.atMost;
  if ('atLeast' in promise) return ratio(row) >= promise.atLeast;
  if ('medianAtMost' in promise) return median(row.ours) <= promise.medianAtMost;
  return median(row.ours) >= promise.medianAtLeast;
}

function promised(promise: Promised, unit: string): string {
  if ('atMost' in promise) return `≤ ${promise.atMost} ×`;
  if ('atLeast' in promise) return `≥ ${promise.atLeast} ×`;
  if ('medianAtMost' in promise) return `≤ ${number(promise.medianAtMost)} ${unit}`;
  return `≥ ${number(promise.medianAtLeast)} ${unit}`;
}

function cells(row: Row): string[] {
  const verdict = kept(row);
  return [
    `  ${row.name}`,
    number(median(row.ours)),
    number(usual(row.ours, row.unit)),
    row.unit,
    row.peerName,
    number(median(row.peer)),
    number(usual(row.peer, row.unit)),
    ratio(row).toFixed(2),
    row.promise === undefined ? '' : `${promised(row.promise, row.unit)} ${verdict === true ? '✓' : '✗'}`,
  ];
}

/** A line is cells of the table, or a text that goes across it. */
type Line = readonly string[] | string;

function linesOf(result: Result): Line[] {
  if ('skipped' in result) return ['', `${result.group}: skipped: ${result.skipped}`];
  if ('failed' in result) return ['', `${result.group}: failed: ${result.failed}`];
  return [
    '',
    result.group,
    ...result.rows.map((row) => ('skipped' in row ? `  ${row.name}: skipped: ${row.skipped}` : cells(row))),
  ];
}

export function renderTable(results: readonly Result[]): string {
  const lines: Line[] = [HEAD, ...results.flatMap(linesOf)];
  const widths = HEAD.map((_, column) =>
    Math.max(...lines.map((line) => (typeof line === 'string' ? 0 : (line[column]?.length ?? 0)))),
  );
  const aligned = (cell: string, column: number): string =>
    NUMBERS.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
  return lines.map((line) => (typeof line === 'string' ? line : line.map(aligned).join('  ').trimEnd())).join('\n');
}

/** Below the table: how many promises were kept, and which were not. */
export function renderVerdict(results: readonly Result[]): string {
  const rows = results.flatMap((result) =>
    'rows' in result ? result.rows.flatMap((row) => ('skipped' in row ? [] : [{ group: result.group, row }])) : [],
  );
  const broken = rows.filter(({ row }) => kept(row) === false);
  const total = rows.filter(({ row }) => row.promise !== undefined).length;
  return [
    `${total - broken.length} of ${total} promises kept`,
    ...broken.map(({ group, row }) => `  not kept: ${group}: ${row.name}`),
  ].join('\n');
}
