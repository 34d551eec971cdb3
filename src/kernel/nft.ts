/**
 * nftables as this process reaches it: libnftables in process, or the program `nft` where the library is missing.
 *
 * Both speak the language of nft(8) and commit a text as one transaction: all of it, or nothing.
 */
import { openNftLibrary } from './nft-library.ts';
import { openNftProgram } from './nft-program.ts';

/** One object of libnftables-json(5): `{ "table": { … } }`, `{ "chain": { … } }` … */
export type NftObject = Readonly<Record<string, unknown>>;

/**
 * How much a listing tells: `terse` leaves out the elements of sets and maps. nft 1.0.6 asks the kernel for them all the same,
 * except for `list ruleset` and `list chains`.
 */
export type NftDetail = 'all' | 'terse';

export interface Nft {
  /** Whether this host has nftables' library or program. */
  isInstalled(): boolean;
  /**
   * Runs commands as one transaction. Resolves to nft's complaint if it was refused; then nothing has changed. A program that
   * does the work inherits the open file `lock`.
   */
  apply(commands: string, lock?: number): Promise<string | undefined>;
  /**
   * Runs a `list …` command that prints no table with just one flag: libnftables before 1.0.9 frees the flag before it prints
   * it as JSON, and the heap of this process is not what it was. `tableFlags` tells.
   * Rejects with an Error that carries nft's complaint. Protocols come as numbers.
   */
  list(command: string, detail?: NftDetail): Promise<readonly NftObject[]>;
  /** The tables of the family inet, each with its flags: `dormant`, `owner` … Rejects as `list`. */
  tableFlags(): Promise<ReadonlyMap<string, readonly string[]>>;
}

/** What `tableFlags` looks at, as text and without elements. No shorter listing has flags. */
export const TABLES_LISTING = 'list ruleset inet';

export interface NftOptions {
  /** Runs an act in the namespace that is meant, if that is not this process's. */
  readonly within?: <T>(act: () => T) => T;
}

/** Opens nothing yet: the library is loaded, or the program looked for, at the first call. */
export function openNft(options: NftOptions = {}): Nft {
  let opened: Nft | undefined;
  const nft = (): Nft => (opened ??= openNftLibrary(options) ?? openNftProgram());
  return {
    isInstalled: () => nft().isInstalled(),
    apply: (commands, lock) => nft().apply(commands, lock),
    list: (command, detail) => nft().list(command, detail),
    tableFlags: () => nft().tableFlags(),
  };
}
