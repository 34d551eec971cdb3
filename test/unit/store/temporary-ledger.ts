/** Ledgers in directories that go away with the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { Ledger } from '../../../src/model/ledger.ts';
import { openLedger, type LedgerPlaces } from '../../../src/store/ledger.ts';

export function temporaryPlaces(): LedgerPlaces {
  const directory = mkdtempSync(path.join(tmpdir(), 'tsnet-ledger-'));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return { dataRoot: path.join(directory, 'lib'), execRoot: path.join(directory, 'run') };
}

/** Opens a ledger that is closed after the test. */
export function open(places: LedgerPlaces): Ledger {
  const ledger = openLedger(places);
  onTestFinished(() => ledger.close());
  return ledger;
}

export function temporaryLedger(): Ledger {
  return open(temporaryPlaces());
}
