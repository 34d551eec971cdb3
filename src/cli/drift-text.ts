/** Drift as lines: "missing   container db on web   route 0.0.0.0/0 via 172.17.0.1 dev eth0". */
import type { Drift } from '../engine/engine.ts';
import { alignTabs } from './table.ts';

export function driftLines(drifts: readonly Drift[]): string {
  return alignTabs(drifts.map((drift) => `${drift.state}\t${drift.owner}\t${driftWhat(drift)}\n`).join(''));
}

export function driftWhat({ what, detail }: Drift): string {
  return detail === undefined ? what : `${what}: ${detail}`;
}
