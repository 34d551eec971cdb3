/**
 * Which rules may be in the kernel, kept in a file, so that one more published port need not read all the others first.
 *
 * iptables can only list a whole table: at 10,000 published ports that takes 350 ms, and adding one takes 25. A file with
 * one bit for each hash of a rule answers the only question that matters before an append: a clear bit proves that the rule
 * is not there. A set bit proves nothing; then the table is read.
 *
 * Bits are set before their rules are added and cleared after they are gone, so a crash or a flush by somebody else leaves
 * bits too many, never too few. Whoever reads a table writes its bits anew. A new file knows nothing until then. It is the
 * file that changes lock, so it is only ever touched by one.
 */
import { readSync, writeSync } from 'node:fs';
import { CHAINS, USER_CHAIN } from '../firewall/iptables/base.ts';
import { TABLES, type Rule, type Table } from '../firewall/iptables/rule.ts';
import { rulesIn, type Ruleset } from '../firewall/iptables/save.ts';
import type { Family } from '../model/records.ts';

/** 2^21 bits a table: at 20,000 rules one lookup in a hundred is in vain. */
const BITS = 1 << 21;
const REGION_BYTES = BITS / 8;
const HEADER_BYTES = 4096;

type Position = Pick<Rule, 'family' | 'table'>;

/** Number of a table's region; also the offset of the byte that says whether the region has been filled. */
function regionOf({ family, table }: Position): number {
  return (family === 4 ? 0 : TABLES.length) + TABLES.indexOf(table);
}

/** FNV-1a, folded. */
function bitOf(chain: string, rule: string): number {
  let hash = 0x811c9dc5;
  const text = `${chain} ${rule}`;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash ^ (hash >>> 21)) & (BITS - 1);
}

function byteAt(fd: number, offset: number): number {
  const byte = Buffer.alloc(1);
  return readSync(fd, byte, 0, 1, offset) === 1 ? (byte[0] ?? 0) : 0;
}

function placeOf(rule: Rule): { readonly offset: number; readonly mask: number } {
  const bit = bitOf(rule.chain, rule.rule);
  return { offset: HEADER_BYTES + regionOf(rule) * REGION_BYTES + (bit >> 3), mask: 1 << (bit & 7) };
}

/** Whether it is certain that none of the rules is in the kernel. */
export function areAbsent(fd: number, rules: readonly Rule[]): boolean {
  return rules.every((rule) => {
    const { offset, mask } = placeOf(rule);
    return byteAt(fd, regionOf(rule)) === 1 && (byteAt(fd, offset) & mask) === 0;
  });
}

/** Notes rules that are about to be added. */
export function expectRules(fd: number, rules: readonly Rule[]): void {
  for (const rule of rules) {
    const { offset, mask } = placeOf(rule);
    writeSync(fd, Buffer.of(byteAt(fd, offset) | mask), 0, 1, offset);
  }
}

/** Notes what a family's tables hold: what was read, with the rules about to be added, without those that are gone. */
export function learnRules(
  fd: number,
  family: Family,
  seen: { readonly ruleset: Ruleset; readonly adding?: readonly Rule[]; readonly gone?: readonly Rule[] },
): void {
  const gone = new Set(seen.gone?.map(({ table, chain, rule }) => `${table} ${chain} ${rule}`));
  for (const table of TABLES) {
    const region = regionOf({ family, table });
    writeSync(fd, regionBytes(table, seen.ruleset, gone), 0, REGION_BYTES, HEADER_BYTES + region * REGION_BYTES);
    writeSync(fd, Buffer.of(1), 0, 1, region);
  }
  expectRules(fd, seen.adding ?? []);
}

function regionBytes(table: Table, ruleset: Ruleset, gone: ReadonlySet<string>): Buffer {
  const bytes = Buffer.alloc(REGION_BYTES);
  for (const chain of CHAINS[table]) {
    if (chain === USER_CHAIN) continue;
    for (const rule of rulesIn(ruleset, table, chain)) {
      if (gone.has(`${table} ${chain} ${rule}`)) continue;
      const bit = bitOf(chain, rule);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
    }
  }
  return bytes;
}
