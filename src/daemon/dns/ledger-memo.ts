/**
 * What was found in the ledger, for as long as nobody on this host has changed it: each look asks for the ledger's count of
 * changes first, so that nothing here is ever older than the ledger.
 */
import type { LedgerView } from '../../model/ledger.ts';

const MOST_ENTRIES = 10_000;

/** `look` is asked when there is nothing of this key, or something of an earlier ledger. */
export type LedgerMemo<T> = (view: LedgerView, key: string, look: () => T) => T;

export function openLedgerMemo<T>(): LedgerMemo<T> {
  let revision = -1;
  const known = new Map<string, T>();
  return (view, key, look) => {
    const now = view.revision();
    if (now !== revision || known.size >= MOST_ENTRIES) known.clear();
    revision = now;
    if (known.has(key)) return known.get(key) as T;
    const found = look();
    known.set(key, found);
    return found;
  };
}
