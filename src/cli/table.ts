/** Columns of text, laid out as Docker's tables are (Go's text/tabwriter with minimum width 10 and padding 3). */

const MIN_WIDTH = 10;
const PADDING = 3;

/** A header and rows in columns, each line ended. The last column is not padded. */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return alignTabs([header, ...rows].map((cells) => cells.join('\t') + '\n').join(''));
}

/**
 * Aligns text whose cells end in tabs. A column runs over neighbouring lines that all have a tab there, so that a line
 * without tabs ends it, and what follows the last tab of a line belongs to no column.
 */
export function alignTabs(text: string): string {
  const lines = text.split('\n').map((line) => line.split('\t'));
  const widths = lines.map((cells) => cells.map(() => 0));
  for (let first = 0; first < lines.length; first++) layOut(lines, widths, first, 0);
  return lines
    .map((cells, row) =>
      cells
        .map((cell, column) =>
          column === cells.length - 1 ? cell : cell.padEnd(cell.length + missing(cell, widths[row]?.[column])),
        )
        .join(''),
    )
    .join('\n');
}

/** Sets the width of the column block that has its top in line `first`, unless it is part of one already set. */
function layOut(lines: readonly string[][], widths: number[][], first: number, column: number): void {
  const hasCell = (row: number): boolean => (lines[row]?.length ?? 0) > column + 1;
  if (!hasCell(first)) return;
  if (widths[first]?.[column] === 0) {
    let last = first;
    while (hasCell(last + 1)) last++;
    const block = lines.slice(first, last + 1).map((cells) => cells[column] ?? '');
    const widest = Math.max(...block.map(columns));
    // As in Go, a column of nothing but empty cells keeps no padding.
    const width = widest === 0 ? MIN_WIDTH : Math.max(MIN_WIDTH, widest + PADDING);
    for (let row = first; row <= last; row++) (widths[row] ?? [])[column] = width;
  }
  layOut(lines, widths, first, column + 1);
}

function missing(cell: string, width = 0): number {
  return Math.max(0, width - columns(cell));
}

function columns(cell: string): number {
  return Array.from(cell).length;
}
