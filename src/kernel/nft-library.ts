/**
 * libnftables in this process, through npm `koffi`: a transaction costs what the kernel takes and a few 100 µs, and no program.
 *
 * A context's netlink socket belongs to the namespace that it was opened in. Contexts are for one call at a time: calls
 * queue. Short ones run on this thread; long ones (a whole ruleset is seconds at 50,000 elements) on another, so that the
 * event loop goes on.
 */
import { createRequire } from 'node:module';
import { TsnetError } from '../model/error.ts';
import { hasSelectable } from './high-descriptor.ts';
import { TABLES_LISTING, type Nft, type NftDetail, type NftOptions } from './nft.ts';
import { complaintOf, parseListing, parseTableFlags } from './nft-output.ts';

/** nft_ctx_output_set_flags(3). */
const OUTPUT_FLAGS: Readonly<Record<NftDetail, number>> = {
  all: (1 << 4) | (1 << 7), // JSON, NUMERIC_PROTO
  terse: (1 << 4) | (1 << 7) | (1 << 11), // and TERSE
};
const TEXT_FLAGS = 1 << 11; // TERSE
/** A text of this size takes some milliseconds. */
const LONG_TEXT_BYTES = 16 * 1024;

interface Library {
  readonly newContext: () => unknown;
  readonly setOutputFlags: (context: unknown, flags: number) => void;
  readonly run: (context: unknown, commands: string) => number;
  readonly runElsewhere: (context: unknown, commands: string) => Promise<number>;
  /** Both empty the buffer that they read. */
  readonly output: (context: unknown) => string;
  readonly errors: (context: unknown) => string;
  readonly free: (context: unknown) => void;
}

export type NftOutcome = { readonly printed: string } | { readonly refused: string };

/** The library is not for two threads at a time, whatever their contexts: calls of all of them queue here. */
let last: Promise<unknown> = Promise.resolve();
/** Calls on another thread. */
let elsewhere = 0;

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const turn = last.then(work);
  last = turn.catch(() => undefined);
  return turn;
}

/**
 * Short commands in the namespace of the calling thread, each one transaction; nothing stays open. Answers what was printed, or
 * why it did not go: nft's complaint, or that there is no library.
 */
export function withNft<T>(act: (run: (commands: string) => NftOutcome) => T): T {
  if (elsewhere > 0) return act(() => ({ refused: 'libnftables is busy on another thread' }));
  const library = hasSelectable() ? loadLibrary() : undefined;
  const context = library?.newContext() ?? null;
  if (library === undefined || context === null) return act(() => ({ refused: 'libnftables is not there' }));
  try {
    return act((commands) => {
      const status = library.run(context, commands);
      const [printed, errors] = [library.output(context), library.errors(context)];
      return status === 0 ? { printed } : { refused: complaintOf(errors) };
    });
  } finally {
    library.free(context);
  }
}

/** Undefined where the library is not installed, or its context cannot be made. */
export function openNftLibrary({ within = (act) => act() }: NftOptions = {}): Nft | undefined {
  const library = hasSelectable() ? loadLibrary() : undefined;
  const context = library && within(library.newContext);
  if (library === undefined || context === undefined || context === null) return undefined;

  const listing = async (command: string, flags: number, isShort: boolean): Promise<string> => {
    library.setOutputFlags(context, flags);
    const status = isShort ? library.run(context, command) : await library.runElsewhere(context, command);
    const [output, errors] = [library.output(context), library.errors(context)];
    if (status !== 0) throw new Error(complaintOf(errors));
    return output;
  };

  return {
    isInstalled: () => true,
    apply: (commands) =>
      inTurn(async () => {
        const refused =
          (commands.length < LONG_TEXT_BYTES
            ? library.run(context, commands)
            : await library.runElsewhere(context, commands)) !== 0;
        const errors = library.errors(context);
        library.output(context);
        return refused ? complaintOf(errors) : undefined;
      }),
    list: (command, detail = 'all') =>
      inTurn(async () => parseListing(await listing(command, OUTPUT_FLAGS[detail], detail === 'terse'))),
    tableFlags: () => inTurn(async () => parseTableFlags(await listing(TABLES_LISTING, TEXT_FLAGS, true))),
  };
}

let loaded: Library | undefined;

function loadLibrary(): Library | undefined {
  if (loaded !== undefined) return loaded;
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load('libnftables.so.1');
  } catch {
    return undefined;
  }
  const newContext = library.func('void *nft_ctx_new(uint32_t flags)');
  const bufferOutput = library.func('int nft_ctx_buffer_output(void *context)');
  const bufferErrors = library.func('int nft_ctx_buffer_error(void *context)');
  const run = library.func('int nft_run_cmd_from_buffer(void *context, const char *commands)');
  return (loaded = {
    newContext: () => {
      const context: unknown = newContext(0);
      if (context !== null && (bufferOutput(context) !== 0 || bufferErrors(context) !== 0)) {
        throw new TsnetError('FIREWALL', 'open libnftables: out of memory');
      }
      return context;
    },
    setOutputFlags: library.func('void nft_ctx_output_set_flags(void *context, uint32_t flags)'),
    run,
    runElsewhere: (context, commands) =>
      new Promise((resolve, reject) => {
        elsewhere += 1;
        run.async(context, commands, (error: Error | null, status: number) => {
          elsewhere -= 1;
          if (error === null) resolve(status);
          else reject(error);
        });
      }),
    output: library.func('const char *nft_ctx_get_output_buffer(void *context)'),
    errors: library.func('const char *nft_ctx_get_error_buffer(void *context)'),
    free: library.func('void nft_ctx_free(void *context)'),
  });
}
