/**
 * Keeps the kernel translating the flows that it knows while somebody flushes the firewall.
 *
 * A published port is a decision made once a flow, and kept in connection tracking. It is carried out by the NAT hooks, which are
 * there only as long as some chain of type nat is, and some rule asks connection tracking: `nft flush ruleset` takes the last, and
 * the next packet of a stream reaches the host's own stack, which answers with a reset. So this process owns
 * tables (NFT_TABLE_F_OWNER, Linux 5.12) with empty nat chains. No other process can flush them, they decide nothing about any
 * packet, and they go when the process ends. One for IPv4 and one for IPv6: a table with a flag in the family of ours would be in
 * the way of reading it (`Nft.list`).
 */
import { openNftLibrary } from './nft-library.ts';

const ANCHOR_TABLES = ['ip tsnet-anchor', 'ip6 tsnet-anchor'] as const;

/** Where the kernel translates: before routing and for the host's own packets destinations, on the way out and in sources. */
const HOOKS = { prerouting: -100, output: -100, input: 100, postrouting: 100 } as const;

const commandsFor = (table: string): string =>
  [
    `add table ${table} { flags owner; }\n`,
    ...Object.entries(HOOKS).map(
      ([hook, priority]) =>
        `add chain ${table} ${hook} { type nat hook ${hook} priority ${String(priority)}; policy accept; }\n`,
    ),
    // A question without an answer. It keeps connection tracking itself going, which ends with the last rule that asks it.
    `add rule ${table} prerouting ct state invalid\n`,
  ].join('');

export interface NatAnchor {
  close(): Promise<void>;
}

/** Undefined where there is no libnftables, or the kernel knows no tables with an owner. */
export async function openNatAnchor(): Promise<NatAnchor | undefined> {
  const nft = openNftLibrary();
  if (nft === undefined) return undefined;
  const made: string[] = [];
  // Each by itself: a kernel without IPv6 has the other.
  for (const table of ANCHOR_TABLES) if ((await nft.apply(commandsFor(table))) === undefined) made.push(table);
  if (made.length === 0) return undefined;
  return {
    close: async () => {
      await nft.apply(made.map((table) => `delete table ${table}\n`).join(''));
    },
  };
}
