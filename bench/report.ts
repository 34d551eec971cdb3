/** On what was measured, and `--json FILE`: the table as data. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { median, ratio, usual, type Row } from './group.ts';
import { kept, type Result } from './table.ts';

/** First line of what a program says of its version; undefined where it is not installed. */
function versionOf(program: string, ...args: readonly string[]): string | undefined {
  try {
    return execFileSync(program, [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0];
  } catch {
    return undefined;
  }
}

export interface Machine {
  readonly date: string;
  readonly kernel: string;
  readonly node: string;
  readonly nft?: string;
  readonly iptables?: string;
  readonly dockerd?: string;
  readonly netavark?: string;
  readonly processors: number;
  readonly processor: string;
  readonly memoryMB: number;
  /** Processes that wanted to run in the minute before, on average: of others, when asked before the first group. */
  readonly load: number;
}

export function machine(): Machine {
  const versions = {
    nft: versionOf('nft', '--version'),
    iptables: versionOf('iptables', '--version'),
    dockerd: versionOf('dockerd', '--version'),
    netavark: versionOf('/usr/lib/podman/netavark', '--version'),
  };
  return {
    date: new Date().toISOString(),
    kernel: release(),
    node: process.version,
    ...Object.fromEntries(Object.entries(versions).filter(([, version]) => version !== undefined)),
    processors: cpus().length,
    processor: cpus()[0]?.model ?? '',
    memoryMB: Math.round(totalmem() / 2 ** 20),
    load: loadavg()[0] ?? 0,
  };
}

/** One line above the table. */
export function describeMachine(on: Machine): string {
  const programs = [on.nft, on.iptables, on.dockerd, on.netavark].filter((version) => version !== undefined);
  return [
    `${on.date.slice(0, 10)}, ${on.processors} × ${on.processor}, load before ${on.load.toFixed(1)}`,
    [`Linux ${on.kernel}`, `node ${on.node}`, ...programs].join(', '),
  ].join('\n');
}

function asData(row: Row): object {
  const { ours, peer, promise, ...described } = row;
  const side = (samples: Row['ours']): object => ({
    samples: samples.length,
    median: median(samples),
    p95: usual(samples, row.unit),
    values: samples,
  });
  return {
    ...described,
    ours: side(ours),
    peer: side(peer),
    ratio: ratio(row),
    ...(promise === undefined ? {} : { promise, kept: kept(row) }),
  };
}

export function writeReport(file: string, on: Machine, results: readonly Result[]): void {
  const groups = results.map((result) =>
    'rows' in result ? { ...result, rows: result.rows.map((row) => ('skipped' in row ? row : asData(row))) } : result,
  );
  writeFileSync(file, `${JSON.stringify({ machine: on, groups }, null, 2)}\n`);
}
