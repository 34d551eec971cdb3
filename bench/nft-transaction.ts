/** libnftables with nothing around it: a text in, one transaction of the kernel. */
import { createRequire } from 'node:module';
import { Skipped } from './group.ts';

/** Opens a context in this process's namespace. Throws Skipped where the library is not installed. */
export function openNftTransactions(): (commands: string) => Promise<void> {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load('libnftables.so.1');
  } catch {
    throw new Skipped('libnftables is not installed (make packages)');
  }
  const context: unknown = library.func('void *nft_ctx_new(uint32_t flags)')(0);
  library.func('int nft_ctx_buffer_output(void *context)')(context);
  library.func('int nft_ctx_buffer_error(void *context)')(context);
  const run = library.func('int nft_run_cmd_from_buffer(void *context, const char *commands)');
  const errors = library.func('const char *nft_ctx_get_error_buffer(void *context)');
  return (commands) => {
    if (run(context, commands) === 0) return Promise.resolve();
    return Promise.reject(new Error(`nftables: ${String(errors(context))}`));
  };
}
