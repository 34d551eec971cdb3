/** `tsnet oci-hook`: what an OCI runtime calls when a container comes and goes; `install` tells Podman and CRI-O of it. */
import { readFileSync, realpathSync } from 'node:fs';
import { readState } from '../runtimes/oci/container-state.ts';
import { HOOKS_FOLDER, installHook } from '../runtimes/oci/hook-file.ts';
import { runHook } from '../runtimes/oci/run-hook.ts';
import type { CliContext } from './context.ts';
import { recordedEnvironment, recordedWords } from './installed-program.ts';
import type { DefineVerb } from './verbs.ts';

const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export const define: DefineVerb = (command, context) => {
  command.action(() => hook(context));
  command
    .command('install')
    .description('Write the file by which Podman and CRI-O call this hook for containers with tsnet.* annotations.')
    .option('--dir <folder>', 'folder of hooks', HOOKS_FOLDER)
    .action(({ dir }: { readonly dir: string }) => {
      install(dir, context);
    });
};

async function hook(context: CliContext): Promise<void> {
  const state = readState(readFileSync(0, 'utf8'), (file) => readFileSync(file, 'utf8'));
  for (const warning of await runHook(state, context.engine)) context.writeError(`tsnet: warning: ${warning}`);
}

/** The configuration of now is that of the hook: a runtime passes on neither environment nor options. */
function install(folder: string, context: CliContext): void {
  const env = recordedEnvironment(context);
  const written = installHook(folder, {
    command: [process.execPath, realpathSync(process.argv[1] ?? ''), 'oci-hook'],
    env: { PATH: SEARCH_PATH, ...env },
  });
  context.write(
    `${written}: called for containers with tsnet.* annotations, when created and when stopped${recordedWords(env)}\n`,
  );
}
