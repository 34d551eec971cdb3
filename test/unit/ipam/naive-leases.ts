/**
 * Leases kept the simple way, a set and a list: what the ledger's are compared with, and what IPAM's tests lease from.
 */
import type { Leases, TakenRun } from '../../../src/model/ledger.ts';

export class NaiveLeases implements Leases {
  readonly held = new Set<bigint>();
  readonly resting: { address: bigint; untilMs: number; foreign?: true }[] = [];
  last: bigint | undefined;
  /** How often IPAM asked. */
  calls = 0;

  give(address: bigint): void {
    this.release(address);
    this.held.add(address);
    this.last = address;
  }

  release(address: bigint): void {
    this.held.delete(address);
    const index = this.resting.findIndex((rest) => rest.address === address);
    if (index >= 0) this.resting.splice(index, 1);
  }

  rest(address: bigint, untilMs: number): void {
    this.release(address);
    this.held.add(address);
    this.resting.push({ address, untilMs });
    this.resting.sort((a, b) => a.untilMs - b.untilMs || (a.address < b.address ? -1 : 1));
  }

  takenRunAt(address: bigint): TakenRun | undefined {
    this.calls++;
    if (!this.held.has(address)) return undefined;
    let start = address;
    let end = address;
    while (this.held.has(start - 1n)) start--;
    while (this.held.has(end + 1n)) end++;
    return { start, end };
  }

  quarantined(): Iterable<{ readonly address: bigint; readonly untilMs: number; readonly foreign?: true }> {
    return [...this.resting];
  }
}
