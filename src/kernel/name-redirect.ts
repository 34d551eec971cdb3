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
import { withNft, type NftOutcome } from './nft-library.ts';
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

/**
 * Answers the reason where that did not go. Reading is cheap and done in process. The kernel takes some 15 ms to hook the first
 * nat chain into a namespace, and whoever asks waits: that is a program's part, so that the daemon goes on meanwhile.
 */
async function redirectByNft(netnsFile: number, port: number): Promise<string | undefined> {
  const isRight = inNetns(netnsFile, () => withNft((run) => hasRedirect(run, port)));
  if (isRight) return undefined;
  if (!hasProgram('nft')) {
    const changed = inNetns(netnsFile, () => withNft((run) => run(nftText(port))));
    return 'refused' in changed ? changed.refused : undefined;
  }
  const request = { file: 'nft', args: ['-f', '-'], input: nftText(port), timeoutMs: TIMEOUT_MS };
  const { status, stderr } = await inNetns(netnsFile, () => runProgram(request));
  return status === 0 ? undefined : stderr.trim();
}

function hasRedirect(run: (commands: string) => NftOutcome, port: number): boolean {
  const found = run(`list table ip ${TABLE}`);
  const lines = 'printed' in found ? found.printed.split('\n').map((line) => line.trim()) : [];
  const body = lines.slice(2).filter((line) => line !== '' && line !== '}');
  return body.join('\n') === [HOOK, ...nftRules(port)].join('\n');
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

/** By whatever this host has. Rejects with TsnetError FIREWALL. */
export const redirectNames: NameRedirect = async (netnsFile, port) => {
  const reason = await redirectByNft(netnsFile, port);
  if (reason === undefined) return;
  if (!hasProgram('iptables-restore')) {
    throw new TsnetError(
      'FIREWALL',
      `lead names in a sandbox to the name service: nftables: ${reason}; iptables is not installed`,
    );
  }
  await redirectByIptables(netnsFile, port);
};
