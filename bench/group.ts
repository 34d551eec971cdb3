/**
 * What a benchmark is made of: samples of us and of a peer, taken in turn, and what we promise of their ratio.
 *
 * A group is measured in a process of its own, in network, mount and pid namespaces of its own, with `lo` up, a fresh tmpfs on
 * /run and /run/netns there: it may make whatever it likes and need not clean up. `dir` is on the machine's disk.
 */

/** One number a run, in the row's unit. */
export type Samples = readonly number[];

/** Times and memory are better small, rates are better large; `promise` says which way we look. */
export type Unit = 'ms' | 'µs' | 'connections/s' | 'claims/s' | 'Gbit/s' | 'MB';

/**
 * What we stand for. `atMost` and `atLeast` speak of the ratio of medians, ours ÷ peer; `medianAtMost` and
 * `medianAtLeast` of our median itself, in the row's unit.
 */
export type Promised =
  | { readonly atMost: number }
  | { readonly atLeast: number }
  | { readonly medianAtMost: number }
  | { readonly medianAtLeast: number };

export interface Row {
  readonly name: string;
  readonly ours: Samples;
  /** What it is compared with, measured in turn with it. */
  readonly peer: Samples;
  readonly peerName: string;
  readonly unit: Unit;
  /** Absent: for information. */
  readonly promise?: Promised;
}

/** A row that could not be measured here, and why: "netavark is not installed (make bench-deps)". */
export interface SkippedRow {
  readonly name: string;
  readonly skipped: string;
}

export interface Group {
  /** As `--only` names it: "attach", "published-ports". */
  readonly name: string;
  /** `dir` is an empty folder on disk, removed afterwards. May throw `Skipped` for the whole group. */
  readonly measure: (dir: string) => Promise<readonly (Row | SkippedRow)[]>;
}

/** Thrown by `measure` when nothing of the group can be measured here; the message is the reason. */
export class Skipped extends Error {}

/** Nearest-rank quantile, `q` in 0…1; NaN without samples. */
export function quantile(samples: Samples, q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

const RATES = new Set<Unit>(['connections/s', 'claims/s', 'Gbit/s']);

/** What 19 of 20 runs keep to: times and memory are at most this, rates at least. */
export function usual(samples: Samples, unit: Unit): number {
  return quantile(samples, RATES.has(unit) ? 0.05 : 0.95);
}

export function median(samples: Samples): number {
  return quantile(samples, 0.5);
}

/** Ratio of the medians, ours ÷ peer. */
export function ratio(row: Row): number {
  return median(row.ours) / median(row.peer);
}
