/** `tsnet cni install`: puts the CNI plugin where container runtimes look for it. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { CONFLIST_FILE, conflistText } from '../runtimes/cni/conflist.ts';
import { askingScript } from '../runtimes/cni/asking-script.ts';
import {
  exportLines,
  packagedProgram,
  programText,
  putFile,
  recordedEnvironment,
  recordedWords,
  runningCommand,
  systemProgram,
} from './installed-program.ts';
import type { DefineVerb } from './verbs.ts';

interface InstallOptions {
  readonly binDir: string;
  readonly confDir: string;
}

export const define: DefineVerb = (command, context) => {
  command
    .command('install')
    .description('Write the plugin, as "tsnet", and a configuration of its own into the folders of the runtimes.')
    .option('--bin-dir <dir>', 'folder of CNI plugins', '/opt/cni/bin')
    .option('--conf-dir <dir>', 'folder of CNI configurations', '/etc/cni/net.d')
    .action(async ({ binDir, confDir }: InstallOptions) => {
      const program = packagedProgram('tsnet-cni.js');
      const executable = path.resolve(binDir, 'tsnet');
      const conflist = path.resolve(confDir, CONFLIST_FILE);
      const found = existsSync(conflist) ? readFileSync(conflist, 'utf8') : undefined;
      const env = recordedEnvironment(context);
      const curl = systemProgram('curl');
      const { hosts } = await context.config();
      const socket = hosts.find((host) => host.startsWith(UNIX))?.slice(UNIX.length);
      const installed = { node: process.execPath, program, env };
      const asks = curl !== undefined && socket !== undefined;
      const text = asks
        ? askingScript({ socket, curl, plugin: runningCommand(installed), exports: exportLines(env) })
        : programText(installed);
      putFile(executable, text, 0o755);
      context.write(
        `${executable}: ${asks ? `asks the daemon at ${socket}, or ` : ''}runs ${program}${recordedWords(env)}\n`,
      );
      if (found === undefined) putFile(conflist, conflistText(), 0o644);
      context.write(`${conflist}: ${fateOf(found)}\n`);
    });
};

const UNIX = 'unix://';

/** A configuration that somebody has edited is theirs. */
function fateOf(found: string | undefined): string {
  if (found === undefined) return 'written; containers get a network "pods", made with the first of them';
  return found === conflistText() ? 'is there already' : 'differs, and is left as it is; delete it to have a new one';
}
