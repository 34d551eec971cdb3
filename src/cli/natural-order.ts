/** Names in the order a person expects: runs of digits count as numbers, so net9 comes before net10. */
const DIGITS = /(\d+)/;

export function naturalOrder(a: string, b: string): number {
  const left = a.split(DIGITS);
  const right = b.split(DIGITS);
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const order = comparePart(left[index] ?? '', right[index] ?? '', index % 2 === 1);
    if (order !== 0) return order;
  }
  return left.length - right.length || compareText(a, b);
}

function comparePart(a: string, b: string, digits: boolean): number {
  if (!digits) return compareText(a, b);
  const [x, y] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return x.length - y.length || compareText(x, y);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
