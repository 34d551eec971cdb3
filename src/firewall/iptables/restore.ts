/**
 * The input of `iptables-restore --noflush`.
 */
import type { Table } from './rule.ts';

/** The commands for one table; a restore commits them together or not at all. */
export interface TableEdit {
  readonly table: Table;
  /** `:CHAIN - [0:0]` makes a chain, or empties the one that is there; `-A`, `-I`, `-D`, `-F`, `-X` as on the command line. */
  readonly commands: readonly string[];
}

/** The text for one restore; tables commit in the order given, and those without commands are left out. "" if none is left. */
export function restoreText(edits: readonly TableEdit[]): string {
  return edits
    .filter(({ commands }) => commands.length > 0)
    .map(({ table, commands }) => `*${table}\n${commands.join('\n')}\nCOMMIT\n`)
    .join('');
}
