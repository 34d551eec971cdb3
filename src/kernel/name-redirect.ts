/**
 * Inside one sandbox: what is sent to 127.0.0.11:53 goes to the port that the name service has there.
 *
 * A packet of the sandbox for 127.0.0.11:53 meets the nat output hook, gets another port, and crosses `lo` like any other; the
 * kernel turns the answer's port back. Port 53 of the sandbox is nobody's: a DNS server in it may bind it on every address.
 * The rule is the sandbox's own, in a table (or chain) of ours; what else its firewall holds is left alone.
 */
import { TsnetError } from '../model/error.ts';
import { NAME_SERVICE_ADDRESS } from '../model/resolv-conf.ts';
import { inNetns } from './netns.ts';
import { withNft } from './nft-library.ts';
import { hasProgram, runProgram, type ProgramOutcome } from './run-program.ts';

const TABLE = 'tsnet-dns';
const CHAIN = 'TSNET-DNS';
const HOOK = 'type nat hook output priority -101; policy accept;';
const TIMEOUT_MS = 20_000;

export type NameRedirect = (netnsFile: number, port: number) => Promise<void>;

/** One transaction, whatever is there. One before the usual priority: a sandbox's own catch-all does not get the packet first. */
function nftText(port: number): string {
  const chain = `ip ${TABLE} output`;
  return [
    `add table ip ${TABLE}`,
    `add chain ${chain} { ${HOOK} }`,
    `flush chain ${chain}`,
    ...nftRules(port).map((rule) => `add rule ${chain} ${rule}`),
    '',
  ].join('\n');
}

function nftRules(port: number): string[] {
  return (['udp', 'tcp'] as const).map(
    (protocol) => `ip daddr ${NAME_SERVICE_ADDRESS} ${protocol} dport 53 dnat to ${NAME_SERVICE_ADDRESS}:${port}`,
  );
}

/** In process, in this thread's namespace. Answers the reason where that did not go. */
function redirectByNft(port: number): string | undefined {
  return withNft((run) => {
    // Reading is cheap; a rule that goes lets the kernel wait for all who may still look at it.
    const found = run(`list table ip ${TABLE}`);
    const lines = 'printed' in found ? found.printed.split('\n').map((line) => line.trim()) : [];
    const body = lines.slice(2).filter((line) => line !== '' && line !== '}');
    if (body.join('\n') === [HOOK, ...nftRules(port)].join('\n')) return undefined;
    const changed = run(nftText(port));
    return 'refused' in changed ? changed.refused : undefined;
  });
}

const JUMP = `-A OUTPUT -d ${NAME_SERVICE_ADDRESS}/32 -j ${CHAIN}`;

function iptablesRules(port: number): string[] {
  return (['udp', 'tcp'] as const).map(
    (protocol) =>
      `-A ${CHAIN} -d ${NAME_SERVICE_ADDRESS}/32 -p ${protocol} -m ${protocol} --dport 53 -j DNAT --to-destination ${NAME_SERVICE_ADDRESS}:${port}`,
  );
}

/** What `iptables-restore --noflush` is to be told, after what is there; undefined when nothing is wanting. */
export function iptablesText(saved: string, port: number): string | undefined {
  const lines = saved.split('\n').map((line) => line.trim());
  const rules = iptablesRules(port);
  const ours = lines.filter((line) => line.startsWith(`-A ${CHAIN} `));
  const hasJump = lines.includes(JUMP);
  if (hasJump && ours.join('\n') === rules.join('\n')) return undefined;
  // Declaring a chain empties it.
  const jump = hasJump ? [] : [JUMP.replace('-A OUTPUT', '-I OUTPUT 1')];
  return ['*nat', `:${CHAIN} - [0:0]`, ...rules, ...jump, 'COMMIT', ''].join('\n');
}

/** Through iptables: the programs are started in the namespace, and look at no other. */
export async function redirectByIptables(netnsFile: number, port: number): Promise<void> {
  const run = async (file: string, args: readonly string[], input: string): Promise<ProgramOutcome> => {
    const outcome = await inNetns(netnsFile, () => runProgram({ file, args, input, timeoutMs: TIMEOUT_MS }));
    if (outcome.status === 0) return outcome;
    throw new TsnetError('FIREWALL', `lead names in a sandbox to the name service: ${file}: ${outcome.stderr.trim()}`);
  };
  const { stdout } = await run('iptables-save', ['-t', 'nat'], '');
  const text = iptablesText(stdout, port);
  if (text !== undefined) await run('iptables-restore', ['--noflush', '--wait=10'], text);
}

/** By whatever this host has; nftables in process costs no program. Rejects with TsnetError FIREWALL. */
export const redirectNames: NameRedirect = async (netnsFile, port) => {
  const reason = inNetns(netnsFile, () => redirectByNft(port));
  if (reason === undefined) return;
  if (!hasProgram('iptables-restore')) {
    throw new TsnetError(
      'FIREWALL',
      `lead names in a sandbox to the name service: nftables: ${reason}; iptables is not installed`,
    );
  }
  await redirectByIptables(netnsFile, port);
};
