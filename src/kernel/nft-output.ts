/** What nft prints, as values. */
import type { NftObject } from './nft.ts';

/** The objects in nft's JSON output, without its header. "" stands for none: that is how nft prints an empty ruleset's listing. */
export function parseListing(output: string): NftObject[] {
  if (output.trim() === '') return [];
  const { nftables } = JSON.parse(output) as { readonly nftables: readonly NftObject[] };
  return nftables.filter((object) => !('metainfo' in object));
}

/** The reason in nft's complaint: "Error: Could not process rule: No such file or directory" without place and quotation. */
export function complaintOf(stderr: string): string {
  const line = stderr.split('\n').find((each) => each.includes('Error: '));
  return line === undefined ? (stderr.trim().split('\n', 1)[0] ?? '') : line.slice(line.indexOf('Error: ') + 7).trim();
}
