/** The program `nft`, for hosts without libnftables. */
import { TsnetError } from '../model/error.ts';
import { TABLES_LISTING, type Nft, type NftDetail } from './nft.ts';
import { complaintOf, parseListing, parseTableFlags } from './nft-output.ts';
import { hasProgram, runProgram, type ProgramOutcome, type RunProgram } from './run-program.ts';

const TIMEOUT_MS = 60_000;
/** JSON, numeric protocols; terse. */
const LIST_FLAGS: Readonly<Record<NftDetail, readonly string[]>> = { all: ['-j', '-p'], terse: ['-j', '-p', '-t'] };
const TEXT_FLAGS = ['-t'];

export function openNftProgram(run: RunProgram = runProgram): Nft {
  const nft = async (args: readonly string[], input: string, lock?: number): Promise<ProgramOutcome> => {
    try {
      const inherit = lock === undefined ? {} : { inherit: lock };
      return await run({ file: 'nft', args, input, timeoutMs: TIMEOUT_MS, ...inherit });
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      const reason = missing
        ? 'neither libnftables nor the program is there: install nftables, or set "firewall-backend": "iptables" in daemon.json'
        : String(error);
      throw new TsnetError('FIREWALL', `run nft: ${reason}`, { cause: error });
    }
  };
  const listing = async (flags: readonly string[], command: string): Promise<string> => {
    const { status, stdout, stderr } = await nft([...flags, ...command.split(' ')], '');
    if (status !== 0) throw new Error(complaintOf(stderr));
    return stdout;
  };
  return {
    isInstalled: () => hasProgram('nft'),
    async apply(commands, lock) {
      const { status, stderr } = await nft(['-f', '-'], commands, lock);
      return status === 0 ? undefined : complaintOf(stderr);
    },
    list: async (command, detail = 'all') => parseListing(await listing(LIST_FLAGS[detail], command)),
    tableFlags: async () => parseTableFlags(await listing(TEXT_FLAGS, TABLES_LISTING)),
  };
}
