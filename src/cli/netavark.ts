/** `tsnet netavark install`: puts our netavark where Podman looks for its network helper. */
import path from 'node:path';
import { packagedProgram, programText, putFile, recordedEnvironment, recordedWords } from './installed-program.ts';
import type { DefineVerb } from './verbs.ts';

/** The first folder that Podman looks into without being told (containers/common, `helper_binaries_dir`). */
const HELPERS_FOLDER = '/usr/local/libexec/podman';

export const define: DefineVerb = (command, context) => {
  command
    .command('install')
    .description('Write the network helper, as "netavark", into a folder of Podman\'s helpers.')
    .option('--dir <folder>', 'folder of helpers', HELPERS_FOLDER)
    .action(({ dir }: { readonly dir: string }) => {
      const program = packagedProgram('netavark');
      const executable = path.resolve(dir, 'netavark');
      const env = recordedEnvironment(context);
      putFile(executable, programText({ node: process.execPath, program, env }), 0o755);
      context.write(`${executable}: runs ${program}${recordedWords(env)}\n`);
    });
};
