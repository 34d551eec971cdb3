import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAddress } from '../../../src/model/address.ts';
import type { Ledger } from '../../../src/model/ledger.ts';
import type { LedgerPlaces } from '../../../src/store/ledger.ts';
import { until } from '../../support/lab.ts';
import { network, sandbox } from './records.ts';
import { open, temporaryPlaces } from './temporary-ledger.ts';
import { buildWorker, removeWorker, startWorker } from './worker.ts';

const WEB = network('web');
/** Where LMDB's lock file has the kinds of its three mutexes, on 64 bits. */
const MUTEX_KINDS = [0x28, 0x50, 0x78];

beforeAll(buildWorker);
afterAll(removeWorker);

/** Every lease has its holder, every run its leases, and the other way round. */
function expectSound(ledger: Ledger): string[] {
  return ledger.read((view) => {
    const leases = view.leases(WEB.id);
    const runs = view.leasesFor(WEB.id, 4);
    const boxes = new Set(view.sandboxes().map(({ id }) => id));
    expect(boxes.size).toBe(leases.length);
    const values = new Set(leases.map(({ address }) => parseAddress(address).value));
    for (const { address, holder } of leases) {
      expect(holder.kind === 'endpoint' && boxes.has(holder.endpointId)).toBe(true);
      const value = parseAddress(address).value;
      const run = runs.takenRunAt(value);
      expect(run).toBeDefined();
      if (run === undefined) continue;
      expect(values.has(run.start) && values.has(run.end)).toBe(true);
      expect(values.has(run.start - 1n) || values.has(run.end + 1n)).toBe(false);
      if (!values.has(value + 1n)) expect(run.end).toBe(value);
    }
    return leases.map(({ address }) => address);
  });
}

/** A lease by this process, to see that the lock is free. */
function changeWorks(ledger: Ledger): void {
  const box = sandbox('probe');
  ledger.change((change) => {
    change.putSandbox(box);
    change.deleteSandbox(box.id);
  });
}

describe('many processes', () => {
  test('leasing at once get distinct addresses, and none is lost', { timeout: 60_000 }, async () => {
    const places = temporaryPlaces();
    const ended = await Promise.all(Array.from({ length: 8 }, () => startWorker(places, 'web', 200, 'finish').ended));
    for (const { status, stderr } of ended) expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const given = ended.flatMap(({ lines }) => lines);
    expect(given).toHaveLength(1600);
    expect(new Set(given).size).toBe(1600);
    const held = expectSound(open(places));
    expect(new Set(held)).toEqual(new Set(given));
  });

  test('that come and go while another one writes take nothing from it', { timeout: 90_000 }, async () => {
    const places = temporaryPlaces();
    const writer = startWorker(places, 'web', 0, 'loop');
    const given: string[] = [];
    for (let round = 0; round < 6; round++) {
      const ended = await Promise.all([1, 2, 3].map(() => startWorker(places, 'web', 1, 'finish').ended));
      for (const { status, stderr, lines } of ended) {
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
        given.push(...lines);
      }
    }
    writer.child.kill('SIGKILL');
    given.push(...(await writer.ended).lines);
    expect(new Set(given).size).toBe(given.length);
    const held = new Set(expectSound(open(places)));
    for (const address of given) expect(held.has(address)).toBe(true);
  });

  test('leave the mutexes as they are when the last one ends, for the next that already waits', async () => {
    const places = temporaryPlaces();
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    await startWorker(places, 'web', 1, 'finish').ended;
    for (const directory of [`${places.execRoot}/ledger/${boot}/gate`, `${places.dataRoot}/ledger`]) {
      const lockFile = readFileSync(`${directory}/lock.mdb`);
      // glibc marks a destroyed mutex by the kind -1; a robust one of many processes has 0x90.
      const kinds = MUTEX_KINDS.map((offset) => lockFile.readInt32LE(offset));
      expect(kinds).toEqual([0x90, 0x90, 0x90]);
    }
  });

  test('see each other at once: no stale view within a turn of the event loop', { timeout: 60_000 }, async () => {
    const places = temporaryPlaces();
    const ledger = open(places);
    expect(ledger.read((view) => view.leases(WEB.id))).toEqual([]);
    const worker = startWorker(places, 'web', 0, 'loop');
    await until(() => worker.lines.length > 0, 20_000);
    // From here on this process never returns to its event loop, while the other one goes on writing.
    const seen: number[] = [];
    const end = performance.now() + 20_000;
    while (seen.length < 5 && performance.now() < end) {
      const count = ledger.read((view) => view.leases(WEB.id).length);
      if (count !== seen.at(-1)) seen.push(count);
    }
    worker.child.kill('SIGKILL');
    await worker.ended;
    expect(seen).toHaveLength(5);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });
});

describe('a process that is killed', () => {
  test('inside a transaction leaves none of it, and no lock', { timeout: 60_000 }, async () => {
    const places = temporaryPlaces();
    const ledger = open(places);
    for (let round = 1; round <= 3; round++) {
      const { signal, lines } = await startWorker(places, 'web', 5, 'die').ended;
      expect(signal).toBe('SIGKILL');
      expect(lines).toHaveLength(4);
      changeWorks(ledger);
      expect(expectSound(ledger)).toHaveLength(4 * round);
    }
  });

  test('as the only one inside a transaction leaves no lock for the next', { timeout: 60_000 }, async () => {
    const places: LedgerPlaces = temporaryPlaces();
    expect((await startWorker(places, 'web', 1, 'die').ended).signal).toBe('SIGKILL');
    const { status, lines } = await startWorker(places, 'web', 3, 'finish').ended;
    expect([status, lines]).toEqual([0, ['10.0.0.2', '10.0.0.3', '10.0.0.4']]);
  });

  test('anywhere, while others write, leaves a sound ledger', { timeout: 120_000 }, async () => {
    const places = temporaryPlaces();
    const ledger = open(places);
    const survivor = startWorker(places, 'web', 0, 'loop');
    const acknowledged: string[] = [];
    for (let round = 0; round < 6; round++) {
      const worker = startWorker(places, 'web', 0, 'loop');
      await until(() => worker.lines.length > 5 + round * 3, 20_000);
      worker.child.kill('SIGKILL');
      acknowledged.push(...(await worker.ended).lines);
      changeWorks(ledger);
    }
    const before = survivor.lines.length;
    await until(() => survivor.lines.length > before, 20_000);
    survivor.child.kill('SIGKILL');
    acknowledged.push(...(await survivor.ended).lines);
    const held = new Set(expectSound(ledger));
    for (const address of acknowledged) expect(held.has(address)).toBe(true);
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
  });
});
