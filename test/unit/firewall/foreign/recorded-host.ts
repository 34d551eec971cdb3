/**
 * A host as it was recorded: every command that was asked, "$ nft -j -p -t list chains", and below it what it answered. Made
 * with the real programs in Debian 12; handles and the chains of other hooks are left out. Its default routes lead to eth0.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { HostFacts } from '../../../../src/firewall/foreign/foreign-drop.ts';
import { foreignFirewall, type FindForeignDrops } from '../../../../src/kernel/foreign-firewall.ts';
import type { Nft } from '../../../../src/kernel/nft.ts';
import { parseListing } from '../../../../src/kernel/nft-output.ts';
import type { RunProgram } from '../../../../src/kernel/run-program.ts';
import type { FirewallBackend } from '../../../../src/plan/kernel.ts';

export const HOST_FACTS: HostFacts = { uplink: () => 'eth0', iptables: () => 'nft' };

/** Command → its output. */
export function recording(name: string): ReadonlyMap<string, string> {
  const text = readFileSync(path.resolve(import.meta.dirname, `../fixtures/${name}.txt`), 'utf8');
  return new Map(
    text.split(/^\$ /m).flatMap((entry): [string, string][] => {
      const end = entry.indexOf('\n');
      return end < 0 ? [] : [[entry.slice(0, end), entry.slice(end + 1)]];
    }),
  );
}

interface RecordedHost {
  readonly find: FindForeignDrops;
  /** What was asked, in order. */
  readonly asked: string[];
}

/** Whatever was not recorded is refused. */
export function recordedHost(
  answers: ReadonlyMap<string, string>,
  { backend = 'nftables', now }: { readonly backend?: FirewallBackend; readonly now?: () => number } = {},
): RecordedHost {
  const asked: string[] = [];
  const answer = (command: string): string => {
    asked.push(command);
    const output = answers.get(command);
    if (output === undefined) throw new Error(`not recorded: ${command}`);
    return output;
  };
  const nft: Nft = {
    isInstalled: () => true,
    apply: () => Promise.reject(new Error('nothing is changed')),
    tableFlags: () => Promise.reject(new Error('no table of another is asked for its flags')),
    list: (command, detail) =>
      new Promise((resolve) => {
        resolve(parseListing(answer(`nft -j -p${detail === 'terse' ? ' -t' : ''} ${command}`)));
      }),
  };
  const run: RunProgram = ({ file, args }) =>
    new Promise((resolve) => {
      resolve({ status: 0, stdout: answer([file, ...args].join(' ')), stderr: '' });
    });
  const clock = now === undefined ? {} : { now };
  return { asked, find: foreignFirewall({ backend: () => backend, nft, run, facts: HOST_FACTS, ...clock }) };
}
