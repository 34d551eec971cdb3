/** What nft prints, as values. */
import type { NftObject } from './nft.ts';

/** The objects in nft's JSON output, without its header. "" stands for none: that is how nft prints an empty ruleset's listing. */
export function parseListing(output: string): NftObject[] {
  if (output.trim() === '') return [];
  const { nftables } = JSON.parse(output) as { readonly nftables: readonly NftObject[] };
  return nftables.filter((object) => !('metainfo' in object));
}

/** `table inet tsnet {`, the program of a table with an owner behind it; then the table's flags, one tab in. */
const TABLE_HEAD = /^table inet (\S+) \{.*\n(?:\tcomment .*\n)?(?:\tflags (.*)\n)?/gm;

/** Table of the family inet → its flags, in the text of a listing of the ruleset. */
export function parseTableFlags(text: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    Array.from(text.matchAll(TABLE_HEAD), ([, name = '', flags]) => [
      name,
      flags === undefined ? [] : flags.split(','),
    ]),
  );
}

/** The reason in nft's complaint: "Error: Could not process rule: No such file or directory" without place and quotation. */
export function complaintOf(stderr: string): string {
  const line = stderr.split('\n').find((each) => each.includes('Error: '));
  return line === undefined ? (stderr.trim().split('\n', 1)[0] ?? '') : line.slice(line.indexOf('Error: ') + 7).trim();
}
