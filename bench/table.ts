/** Samples, and the table that they become. */

/** Milliseconds, one a run. */
export type Samples = readonly number[];

export interface Row {
  readonly name: string;
  readonly ours: Samples;
  /** What it is compared with, measured in turn with it. */
  readonly peer: Samples;
  readonly peerName: string;
  /** The ratio of the medians that we promise; Infinity: not ours to promise. */
  readonly atMost: number;
}

export function quantile(samples: Samples, q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

function ms(value: number): string {
  return value < 1 ? value.toFixed(3) : value.toFixed(2);
}

export function ratio(row: Row): number {
  return quantile(row.ours, 0.5) / quantile(row.peer, 0.5);
}

/** One line a row: medians and p95 in milliseconds, ratio of the medians, and the promise. */
export function renderRows(rows: readonly Row[]): string {
  const head = ['measure', 'median', 'p95', 'compared with', 'median', 'p95', 'ratio', 'promised'];
  const body = rows.map((row) => [
    row.name,
    ms(quantile(row.ours, 0.5)),
    ms(quantile(row.ours, 0.95)),
    row.peerName,
    ms(quantile(row.peer, 0.5)),
    ms(quantile(row.peer, 0.95)),
    ratio(row).toFixed(2),
    row.atMost === Infinity ? "the kernel's" : `≤ ${row.atMost} ${ratio(row) <= row.atMost ? '✓' : '✗'}`,
  ]);
  const widths = head.map((title, column) =>
    Math.max(title.length, ...body.map((cells) => cells[column]?.length ?? 0)),
  );
  return [head, ...body]
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Runs both in turn, so that the machine's noise hits both alike. */
export async function inTurn(
  runs: number,
  ours: (run: number) => Promise<number>,
  peer: (run: number) => Promise<number>,
): Promise<{ readonly ours: number[]; readonly peer: number[] }> {
  const samples = { ours: [] as number[], peer: [] as number[] };
  for (let run = -2; run < runs; run += 1) {
    const [a, b] = [await ours(run), await peer(run)];
    // The first two warm up.
    if (run < 0) continue;
    samples.ours.push(a);
    samples.peer.push(b);
  }
  return samples;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
