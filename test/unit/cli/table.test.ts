import { describe, expect, test } from 'vitest';
import { naturalOrder } from '../../../src/cli/natural-order.ts';
import { alignTabs, renderTable } from '../../../src/cli/table.ts';

describe('tables are laid out as Go’s tabwriter does', () => {
  test('columns are as wide as their widest cell and three blanks, ten at least; the last one is not padded', () => {
    expect(
      renderTable(
        ['ID', 'LONG HEADING', 'X'],
        [
          ['1', 'a', 'last'],
          ['twelve chars', 'b', 'z'],
        ],
      ),
    ).toBe('ID             LONG HEADING   X\n1              a              last\ntwelve chars   b              z\n');
  });

  test('characters count, not bytes', () => {
    expect(renderTable(['A', 'B'], [['näähtävä', 'x']])).toBe('A          B\nnäähtävä   x\n');
  });

  test('a line without tabs ends a column', () => {
    expect(alignTabs('a\tb\nlong long long\n\nc\td\n')).toBe('a         b\nlong long long\n\nc         d\n');
  });

  test('a column reaches over the lines that have it, only', () => {
    expect(alignTabs('a\twide wide wide\tx\nb\ty\n')).toBe('a         wide wide wide   x\nb         y\n');
  });
});

test.each([
  ['net9', 'net10'],
  ['a', 'b'],
  ['net', 'net1'],
  ['net1', 'net1a'],
  ['9', '10'],
  ['a2b9', 'a2b10'],
  ['x99999999999999999999', 'x100000000000000000000'],
])('%s comes before %s', (a, b) => {
  expect(naturalOrder(a, b)).toBeLessThan(0);
  expect(naturalOrder(b, a)).toBeGreaterThan(0);
  expect(naturalOrder(a, a)).toBe(0);
});
